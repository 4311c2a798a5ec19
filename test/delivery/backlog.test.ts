// @module-tag long
/**
 * After downtime: the backlog is sent once, behind what falls due meanwhile, and can be watched.
 */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';

import { createBacklogMetrics } from '../../src/delivery/metrics.ts';
import { createBacklogWatch } from '../../src/delivery/dispatcher/backlog.ts';
import { createLedgerState } from '../../src/ledger/ledger-state.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { HOUR, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { valueOf } from '../support/metrics.ts';

const fixture = useDispatcherFixture();

const PATIENT = { timeout: 150_000, interval: 50 };
const LATE = 2_000;
const ON_TIME = 50;
/** Rows of one claim: what a dispatcher holds when it polls again. */
const BATCH = 500;
/** Rows are leased for longer than a busy machine needs, so that no lease expires. */
const UNHURRIED = { timeoutMs: 120_000 };

test(
  'of a backlog of 2,000 each is sent once, and 50 that fall due meanwhile wait for at most one batch',
  { timeout: 300_000 },
  async () => {
    fixture.receiver.answer((response) => void setTimeout(() => response.end(), 50));
    const late = await fixture.rows.addHerd(LATE, Date.now() - HOUR);
    await fixture.dispatch(UNHURRIED);
    await fixture.dispatch(UNHURRIED);
    const sent = () => fixture.receiver.received.length;
    await expect.poll(sent, PATIENT).toBeGreaterThan(100);

    const onTime = await fixture.rows.addHerd(ON_TIME, Date.now());
    const sentBefore = sent();
    expect(sentBefore).toBeLessThan(LATE - BATCH - ON_TIME);

    await expect.poll(() => fixture.countIn('COMPLETED'), PATIENT).toBe(LATE + ON_TIME);
    const order = fixture.receiver.received.map(({ id }) => id);
    expect(order.toSorted()).toEqual([...late, ...onTime].toSorted());
    const last = Math.max(...onTime.map((key) => order.indexOf(key)));
    expect(last).toBeLessThan(sentBefore + ON_TIME + BATCH);
    const marked = fixture.receiver.received
      .filter(({ body }) => body.data.late)
      .map(({ id }) => id);
    expect(marked.toSorted()).toEqual(late.toSorted());
  },
);

function watchBacklog() {
  const logged: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const watch = createBacklogWatch({
    ledgerState: createLedgerState(fixture.database.orm, { lateAfterMs: HOUR / 12 }),
    logger: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    metrics: createBacklogMetrics(metrics),
  });
  watch.start();
  onTestFinished(() => watch.stop());
  return {
    logged,
    value: async (name: string) => valueOf(await metrics.metrics(), `daybell_${name}`),
  };
}

test('a backlog is logged and measured: its start, what remains, and how long it took', async () => {
  await fixture.planned(await fixture.rows.addUser(), Date.now() - 2 * HOUR);
  await fixture.planned(await fixture.rows.addUser(), Date.now() - HOUR);
  await fixture.planned(await fixture.rows.addUser(), Date.now() + HOUR);
  const { logged, value } = watchBacklog();

  await expect.poll(() => value('backlog_remaining'), PATIENT).toBe(2);
  expect(await value('backlog_in_progress')).toBe(1);
  expect(logged).toMatchObject([{ msg: 'backlog found', remaining: 2 }]);
  expect(logged[0]?.['latenessMs']).toBeGreaterThanOrEqual(2 * HOUR);

  await fixture.dispatch();
  await expect.poll(() => value('backlog_in_progress'), PATIENT).toBe(0);
  expect(await value('backlog_remaining')).toBe(0);
  expect(await value('backlog_last_duration_seconds')).toBeGreaterThan(0);
  expect(logged.at(-1)).toMatchObject({ msg: 'backlog done' });
  expect(logged.at(-1)?.['durationMs']).toBeGreaterThan(0);
});
