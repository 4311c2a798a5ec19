import { proxyActivities, sleep } from '@temporalio/workflow';

import type { BenchUser } from '../support/greeter.ts';

export interface GreetActivities {
  greet(user: BenchUser): Promise<void>;
}

const { greet } = proxyActivities<GreetActivities>({ startToCloseTimeout: '1 minute' });

/** Sleeps until the instant, epoch ms, and greets. */
export async function greetAtInstant(user: BenchUser, dueAt: number): Promise<void> {
  await sleep(dueAt - Date.now());
  await greet(user);
}
