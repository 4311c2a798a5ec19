import { patched, sleep } from '@temporalio/workflow';

import { birthday as unchanged } from '../../src/workflows/index.ts';
import type { YearlyEventInput } from '../../src/workflows/messages.ts';

/** The workflow of a next version: changed, and made safe for those that began before. */
export async function birthday(input: YearlyEventInput): Promise<void> {
  if (patched('rests-first')) await sleep(100);
  await unchanged(input);
}
