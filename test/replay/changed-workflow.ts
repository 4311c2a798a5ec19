import { sleep } from '@temporalio/workflow';

import { birthday as unchanged } from '../../src/workflows/index.ts';
import type { YearlyEventInput } from '../../src/workflows/messages.ts';

/** The workflow after a change that was not made safe: it does something else first. */
export async function birthday(input: YearlyEventInput): Promise<void> {
  await sleep(1_000);
  await unchanged(input);
}
