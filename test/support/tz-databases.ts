/** The tz databases that an installation can use. */
import { loadBundledTzDatabase } from '../../src/platform/load-tz-database.ts';
import { createNodeTzDatabase } from '../../src/time/node-tz-database.ts';

export const nodeTz = createNodeTzDatabase();
/** For tests about something else. */
export const bundledTz = loadBundledTzDatabase();

export const bothTzDatabases = [
  ["Node's tz database", nodeTz],
  ['the bundled tz database', bundledTz],
] as const;
