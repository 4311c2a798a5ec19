import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createReporter, type Reporter } from '../../src/delivery/reporter.ts';
import type { DeliveryResult } from '../../src/domain/plan-messages.ts';
import type { ActivityReporter, RetryableFailure } from '../../src/events/ports.ts';
import { createReportQueue } from '../../src/persistence/report-queue.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const WITHIN = { timeout: 60_000, interval: 20 };

let database: TestDatabase;
let rows: EventRows;
let reporters: Reporter[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  rows = createEventRows(database.orm);
});
afterAll(() => database.drop());
beforeEach(() => rows.sql('truncate events.occurrences, events.stale_tokens cascade'));
afterEach(async () => {
  await Promise.all(reporters.map((reporter) => reporter.stop()));
  reporters = [];
});

/** An engine that can be made to fail on purpose. */
function createEngine() {
  const told: (DeliveryResult | RetryableFailure)[] = [];
  const engine = {
    told,
    calls: 0,
    /** Throws to refuse a call. */
    judge: (_token: string): void => {},
    complete: (token: Uint8Array, result: DeliveryResult) => tell(token, result),
    fail: (token: Uint8Array, failure: RetryableFailure) => tell(token, failure),
  };
  async function tell(token: Uint8Array, what: DeliveryResult | RetryableFailure): Promise<void> {
    engine.calls += 1;
    engine.judge(Buffer.from(token).toString('hex'));
    told.push(what);
  }
  return engine satisfies ActivityReporter;
}

function report(
  engine: ActivityReporter,
  isBusy: () => boolean = () => false,
): Record<string, unknown>[] {
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const queue = createReportQueue(database.orm);
  const reporter = createReporter({
    queue,
    engine,
    clock: Date.now,
    logger,
    isBusy,
    busyWaitMs: 300,
  });
  reporters.push(reporter);
  reporter.start();
  return logged;
}

/** Rows with an outcome that nobody has been told. */
async function settled(count: number, kind: string): Promise<string[]> {
  const keys = await rows.addHerd(count, Date.now() - 1000);
  await rows.sql(
    `update events.occurrences set report = ?, next_attempt_at = null where key in (?)`,
    [kind, keys],
  );
  return keys;
}

function unreported(): Promise<number> {
  return rows
    .sql<{ count: number }>(
      'select count(*)::int as count from events.occurrences where report is not null',
    )
    .then(([row]) => row?.count ?? 0);
}

async function stale(): Promise<number> {
  return (await rows.sql('select from events.stale_tokens')).length;
}

describe('reporting', () => {
  test.each(['delivered', 'failed', 'skipped', 'released'])(
    'tells what was %s, once, and forgets the token',
    async (outcome) => {
      const [key = ''] = await settled(1, outcome);
      const engine = createEngine();
      report(engine);
      await expect.poll(unreported, WITHIN).toBe(0);
      expect(engine.told).toEqual([{ occurrenceKey: key, outcome }]);
      expect(await rows.find(key)).toMatchObject({ report: null, token: null });
    },
  );

  test('fails the activity for now when it is its turn to retry, without naming anybody', async () => {
    const [key = ''] = await settled(1, 'retry');
    await rows.sql(
      `update events.occurrences set attempts = 4, retry_at = to_timestamp(?::float8 / 1000)`,
      [Date.now() + 12_000],
    );
    await rows.sql(
      `insert into events.attempts (occurrence_key, number, started_at, duration_ms, outcome,
         status, error_code)
       values (?, 3, now(), 1, 'retry', 500, null), (?, 4, now(), 1, 'retry', 503, null)`,
      [key, key],
    );
    const engine = createEngine();
    report(engine);
    await expect.poll(unreported, WITHIN).toBe(0);
    expect(engine.told).toMatchObject([{ message: 'attempt 4: HTTP 503' }]);
    const [failure] = engine.told as RetryableFailure[];
    expect(failure?.nextRetryDelayMs).toBeGreaterThan(5000);
    expect(failure?.nextRetryDelayMs).toBeLessThanOrEqual(12_000);
  });

  test('several at once tell each outcome once', async () => {
    const keys = await settled(600, 'delivered');
    const engine = createEngine();
    report(engine);
    report(engine);
    await expect.poll(unreported, WITHIN).toBe(0);
    const told = engine.told.map((result) => 'occurrenceKey' in result && result.occurrenceKey);
    expect(told.toSorted()).toEqual(keys.toSorted());
  });

  test('leaves the machine to a herd that is being sent, and tells all when it is over', async () => {
    await settled(300, 'delivered');
    const engine = createEngine();
    let isHerdHere = false;
    engine.judge = () => {
      isHerdHere ||= engine.calls >= 50;
    };
    report(engine, () => isHerdHere);
    await expect.poll(() => engine.calls, WITHIN).toBeGreaterThanOrEqual(50);
    const atFirst = engine.calls;
    await expect.poll(() => engine.calls, WITHIN).toBeGreaterThan(atFirst);
    // Those under way when it came; then, after a while, two at a time.
    expect(engine.calls).toBeLessThan(150);
    isHerdHere = false;
    engine.judge = () => {};
    await expect.poll(unreported, WITHIN).toBe(0);
    expect(engine.told).toHaveLength(300);
  });

  test('never takes the token of a row that was armed again meanwhile', async () => {
    const [key = ''] = await settled(1, 'released');
    const queue = createReportQueue(database.orm);
    const taken = await queue.take(10, 1000);
    await rows.sql(`update events.occurrences set report = null, task_token = 'new'`);
    await queue.markReported(taken);
    expect(await rows.find(key)).toMatchObject({ token: Buffer.from('new').toString('hex') });
  });
});

describe('an activity that no row waits with any more', () => {
  const KEY = 'birthday:u1:2026';

  async function drop(token: string, droppedAgoMs = 0): Promise<void> {
    await rows.sql(
      `insert into events.stale_tokens (task_token, occurrence_key, dropped_at)
       values (decode(?, 'hex'), ?, clock_timestamp() - ?::float8 * interval '1 ms')`,
      [token, KEY, droppedAgoMs],
    );
  }

  test('is released, once, and forgotten; what its row waits for is told as well', async () => {
    const [key = ''] = await settled(1, 'delivered');
    await drop('aa01');
    const engine = createEngine();
    report(engine);
    report(engine);
    await expect.poll(stale, WITHIN).toBe(0);
    await expect.poll(unreported, WITHIN).toBe(0);
    expect(engine.told).toHaveLength(2);
    expect(engine.told).toContainEqual({ occurrenceKey: KEY, outcome: 'released' });
    expect(engine.told).toContainEqual({ occurrenceKey: key, outcome: 'delivered' });
  });

  test('is tried again while Temporal is away', async () => {
    await drop('aa01');
    const engine = createEngine();
    engine.judge = () => {
      throw new Error('UNAVAILABLE');
    };
    report(engine);
    await expect.poll(() => engine.calls, WITHIN).toBeGreaterThan(1);
    expect(await stale()).toBe(1);
    engine.judge = () => {};
    await expect.poll(stale, WITHIN).toBe(0);
    expect(engine.told).toEqual([{ occurrenceKey: KEY, outcome: 'released' }]);
  });

  test('is given up after a day, when its own time limit has closed it', async () => {
    await drop('aa01', 23 * 3_600_000);
    await drop('aa02', 25 * 3_600_000);
    const engine = createEngine();
    engine.judge = () => {
      throw new Error('INVALID_ARGUMENT');
    };
    report(engine);
    await expect.poll(() => engine.calls, WITHIN).toBeGreaterThan(3);
    expect(await stale()).toBe(1);
  });
});

describe('while Temporal is away', () => {
  test('everything is kept, and told when it is back; the log says it once', async () => {
    await settled(300, 'delivered');
    const engine = createEngine();
    engine.judge = () => {
      throw new Error('UNAVAILABLE');
    };
    const logged = report(engine);
    await expect.poll(() => engine.calls, WITHIN).toBeGreaterThan(48);
    expect(await unreported()).toBe(300);
    engine.judge = () => {};
    await expect.poll(unreported, WITHIN).toBe(0);
    expect(engine.told).toHaveLength(300);
    expect(logged.map(({ msg }) => msg)).toEqual([
      'the Temporal server does not answer: trying again',
      'the Temporal server answers again',
    ]);
  });

  test('one outcome that cannot be told is not in the way of others', async () => {
    const [odd = ''] = await settled(1, 'delivered');
    const { token } = await rows.find(odd);
    const engine = createEngine();
    engine.judge = (given) => {
      if (given === token) throw new Error('INVALID_ARGUMENT');
    };
    await settled(50, 'delivered');
    report(engine);
    await expect.poll(unreported, WITHIN).toBe(1);
    expect(engine.told).toHaveLength(50);
  });

  test('many that can never be told are not in the way of others', async () => {
    const odd = await settled(60, 'delivered');
    await rows.sql(`update events.occurrences set key = '0' || key, task_token = 'odd'`);
    const engine = createEngine();
    engine.judge = (given) => {
      if (given === Buffer.from('odd').toString('hex')) throw new Error('INVALID_ARGUMENT');
    };
    await settled(5, 'delivered');
    report(engine);
    await expect.poll(unreported, WITHIN).toBe(odd.length);
    expect(engine.told).toHaveLength(5);
  });

  test('what a dead reporter took is told by another', async () => {
    await settled(3, 'delivered');
    await createReportQueue(database.orm).take(10, 700);
    const engine = createEngine();
    report(engine);
    await expect.poll(unreported, WITHIN).toBe(0);
    expect(engine.told).toHaveLength(3);
  });
});
