/** The laws that an installation can have. */
import { createBundledZoneLaw } from '../../src/zones/load-zone-law.ts';
import { createNodeZoneLaw } from '../../src/zones/node-zone-law.ts';

export const nodeLaw = createNodeZoneLaw();
/** What tests go by that are about something else. */
export const bundledLaw = createBundledZoneLaw();

export const bothLaws = [
  ["Node's own law", nodeLaw],
  ['the bundled law', bundledLaw],
] as const;
