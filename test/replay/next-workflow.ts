import { patched, sleep } from '@temporalio/workflow';

import type { OccasionInput } from '../../src/workflows/contract.ts';
import { occasion as unchanged } from '../../src/workflows/index.ts';

/** The workflow of a next version: changed, and made safe for those that began earlier. */
export async function occasion(input: OccasionInput): Promise<void> {
  if (patched('rests-first')) await sleep(100);
  await unchanged(input);
}
