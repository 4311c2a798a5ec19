/** After downtime: what is owed goes out once, behind what comes due meanwhile, and can be watched. */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';

import { createRecoveryMetrics } from '../../src/delivery/recovery-metrics.ts';
import { createRecovery } from '../../src/delivery/recovery.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { createCatchUp } from '../../src/persistence/catch-up.ts';
import { HOUR, useDispatcherFixture } from '../support/dispatcher-fixture.ts';
import { valueOf } from '../support/metrics.ts';

const fixture = useDispatcherFixture();

const PATIENT = { timeout: 150_000, interval: 50 };
const LATE = 2_000;
const ON_TIME = 50;
/** Rows of one claim: what a dispatcher has in hand when it looks again. */
const BATCH = 500;
/** Rows are held for longer than a busy machine could need: none is sent again for that. */
const UNHURRIED = { timeoutMs: 120_000 };

test.each([
  { when: 'after it, late', lane: 1 },
  { when: 'before it, on time', lane: 0 },
])(
  '2,000 owed and armed $when: each is sent once, and 50 that come due meanwhile wait for no more than a batch',
  { timeout: 300_000 },
  async ({ lane }) => {
    fixture.receiver.answer((response) => void setTimeout(() => response.end(), 50));
    const late = await fixture.rows.addHerd(LATE, Date.now() - HOUR);
    await fixture.rows.sql('update events.occurrences set lane = ?', [lane]);
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

function watchRecovery() {
  const logged: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const recovery = createRecovery({
    catchUp: createCatchUp(fixture.database.orm, { lateAfterMs: HOUR / 12 }),
    ledger: fixture.ledger,
    logger: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    observer: createRecoveryMetrics(metrics),
  });
  recovery.start();
  onTestFinished(() => recovery.stop());
  return {
    logged,
    value: async (name: string) => valueOf(await metrics.metrics(), `daybell_${name}`),
  };
}

test('catching up is told of: that it began, what remains, and how long it took', async () => {
  // Planned, and its workflow has not woken yet; armed; and one that is on time.
  const planned = await fixture.rows.addOccurrence(await fixture.rows.addUser(), {
    fireAt: Date.now() - 2 * HOUR,
  });
  await fixture.armed(await fixture.rows.addUser(), Date.now() - HOUR);
  await fixture.armed(await fixture.rows.addUser(), Date.now() + HOUR);
  const { logged, value } = watchRecovery();

  await expect.poll(() => value('recovery_remaining'), PATIENT).toBe(2);
  expect(await value('recovery_in_progress')).toBe(1);
  expect(await value('recovery_started_total')).toBe(1);
  expect(logged).toMatchObject([{ msg: 'recovery started', remaining: 2 }]);
  expect(logged[0]?.['latenessMs']).toBeGreaterThanOrEqual(2 * HOUR);

  await fixture.dispatch();
  await expect.poll(() => value('recovery_remaining'), PATIENT).toBe(1);
  const { fireAt } = await fixture.rows.find(planned);
  await fixture.ledger.arm({
    occurrenceKey: planned,
    fireAt: fireAt ?? 0,
    taskToken: Buffer.from(planned),
    now: Date.now(),
  });

  await expect.poll(() => value('recovery_in_progress'), PATIENT).toBe(0);
  expect(await value('recovery_remaining')).toBe(0);
  expect(await value('recovery_last_duration_seconds')).toBeGreaterThan(0);
  expect(logged.at(-1)).toMatchObject({ msg: 'recovery done' });
  expect(logged.at(-1)?.['durationMs']).toBeGreaterThan(0);
});

test('what was tried and failed, what is redelivered and what is blocked is not catching up', async () => {
  const key = await fixture.armed(await fixture.rows.addUser(), Date.now() - HOUR);
  await fixture.rows.sql('update events.occurrences set attempts = 1 where key = ?', [key]);
  const again = await fixture.armed(await fixture.rows.addUser(), Date.now() - HOUR);
  await fixture.rows.sql(
    'update events.occurrences set redelivery_id = gen_random_uuid() where key = ?',
    [again],
  );
  const blocked = await fixture.rows.addOccurrence(await fixture.rows.addUser(), {
    fireAt: Date.now() - HOUR,
  });
  await fixture.rows.sql("update events.occurrences set blocked_reason = 'unknown' where key = ?", [
    blocked,
  ]);
  const catchUp = createCatchUp(fixture.database.orm, { lateAfterMs: HOUR / 12 });
  expect(await catchUp.findOwed()).toEqual({ count: 0, latenessMs: null });
});
