// @module-tag long
/**
 * Temporal as a cluster: clients, a worker and its workflows continue without one node of each
 * kind.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { asleepForAYear, asleepUntil } from '../support/deliver-answers.ts';
import { startOccasionStage, type OccasionStage } from '../support/occasion-stage.ts';
import { startProductionServer } from '../support/production-server.ts';
import { connectTo, type TestTemporal } from '../support/temporal.ts';

const WITHIN = { timeout: 120_000, interval: 100 };
/** Enough shards, and workflows, for both history nodes to have some of each. */
const SHARDS = { NUM_HISTORY_SHARDS: '16' };
const OCCASIONS = 12;
/** By then they are started, have called once and sleep, on a busy machine too. */
const SLEEP_MS = 15_000;

let server: Awaited<ReturnType<typeof startProductionServer>>;
let temporal: TestTemporal;
let on: OccasionStage;
// Its programs are built first, if they are not in the cache.
beforeAll(async () => {
  server = await startProductionServer(SHARDS, 2);
  await server.untilReady(server.isReady);
  temporal = await connectTo(server.address);
  on = await startOccasionStage(temporal);
}, 30 * 60_000);
afterAll(async () => {
  await on?.stop();
  await temporal?.close();
  await server?.stop();
});

test(
  'workflows wake, and new ones start, after the loss of a frontend, a history and a matching node',
  { timeout: 300_000 },
  async () => {
    const wakeAt = Date.now() + SLEEP_MS;
    const stage = () => on.stage((call) => (call === 1 ? asleepUntil(wakeAt) : asleepForAYear()));
    const occasions = Array.from({ length: OCCASIONS }, stage);
    const callsOf = () => occasions.map(({ calls }) => calls.length);
    await Promise.all(occasions.map((occasion) => on.workflows.start(occasion, 0)));
    await expect.poll(callsOf, WITHIN).toEqual(occasions.map(() => 1));

    // Both the client's connection and the worker's used a frontend, perhaps this one.
    await server.kill('temporal-frontend-1');
    // Timers and shards are taken over by the other node, without a restart of this one.
    await server.kill('temporal-history-1');
    await expect.poll(callsOf, WITHIN).toEqual(occasions.map(() => 2));
    for (const { calls } of occasions) expect(calls[1]).toBeGreaterThanOrEqual(wakeAt);

    await server.kill('temporal-matching-1');
    const others = Array.from({ length: OCCASIONS }, () => on.stage(asleepForAYear));
    await Promise.all(others.map((occasion) => on.workflows.start(occasion, 0)));
    const otherCalls = () => others.map(({ calls }) => calls.length);
    await expect.poll(otherCalls, WITHIN).toEqual(others.map(() => 1));
    expect(callsOf()).toEqual(occasions.map(() => 2));
  },
);
