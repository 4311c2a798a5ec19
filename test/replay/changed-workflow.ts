import { sleep } from '@temporalio/workflow';

import type { OccasionInput } from '../../src/workflows/contract.ts';
import { occasion as unchanged } from '../../src/workflows/index.ts';

/** The workflow after an unsafe change: it does something else first. */
export async function occasion(input: OccasionInput): Promise<void> {
  await sleep(1_000);
  await unchanged(input);
}
