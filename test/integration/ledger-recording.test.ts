import { describe, expect, test } from 'vitest';

import { attemptOf, HOLD_MS, MINUTE, useLedgerBench } from '../support/ledger-bench.ts';

const bench = useLedgerBench();

describe('recording', () => {
  test('a delivery completes the row, with its lateness, and is to be reported', async () => {
    const fireAt = Date.now() - 3000;
    const key = await bench.armed(fireAt);
    const claimed = await bench.claimOne();
    const at = fireAt + 2345;
    await bench.ledger.record([
      attemptOf(claimed, { kind: 'delivered', at }, { responseExcerpt: `it's "ok"? \\ \u{1F382}` }),
    ]);
    expect(await bench.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      deliveredAt: at,
      latenessMs: 2345,
      report: 'delivered',
      nextAttemptAt: null,
      sendingUntil: null,
    });
    expect(await bench.attemptsOf(key)).toEqual([
      {
        number: 1,
        outcome: 'delivered',
        status: 200,
        errorCode: null,
        excerpt: `it's "ok"? \\ \u{1F382}`,
      },
    ]);
  });

  test('a retry from the ledger comes up again at its time, and is not reported', async () => {
    const key = await bench.armed(Date.now() - 5000);
    const at = Date.now() + 2000;
    await bench.ledger.record([attemptOf(await bench.claimOne(), { kind: 'again', at })]);
    expect(await bench.rows.find(key)).toMatchObject({
      state: 'PROCESSING',
      nextAttemptAt: at,
      sendingUntil: null,
      report: null,
    });
    expect(await bench.claim()).toEqual([]);
    await bench.rows.shiftClock(3000);
    expect(await bench.claim(10, Date.now() + 3000)).toMatchObject([
      { attempt: 2, armedAttempt: 2 },
    ]);
  });

  test("when it is Temporal's turn, the row waits to be armed again", async () => {
    const key = await bench.armed(Date.now() - 5000);
    const at = Date.now() + 10_000;
    await bench.ledger.record([attemptOf(await bench.claimOne(), { kind: 'retry', at })]);
    expect(await bench.rows.find(key)).toMatchObject({
      state: 'PROCESSING',
      nextAttemptAt: null,
      retryAt: at,
      report: 'retry',
    });
    expect(await bench.ledger.nextDueInMs(Date.now())).toBeNull();
  });

  test('what was given up is FAILED with the reason', async () => {
    const key = await bench.armed(Date.now() - 5000);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    const attempt = attemptOf(await bench.claimOne(), next, { status: 400 });
    // For the second time as when the answer to the first was lost.
    for (let time = 1; time <= 2; time++) {
      expect(await bench.ledger.record([attempt])).toEqual({ left: [], lost: [] });
    }
    expect(await bench.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'refused',
      report: 'failed',
      nextAttemptAt: null,
    });
  });

  test('a lost fence keeps the attempt but changes nothing else', async () => {
    const key = await bench.armed(Date.now() - 5000);
    const lost = await bench.claimOne();
    await bench.rows.shiftClock(HOLD_MS + 1000);
    const [held] = await bench.claim(10, Date.now() + HOLD_MS + 1000);
    const before = await bench.rows.find(key);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    const attempt = attemptOf(lost, next, { status: 400 });
    expect(await bench.ledger.record([attempt])).toEqual({ left: [], lost: [attempt] });
    expect(await bench.rows.find(key)).toEqual(before);
    expect(await bench.attemptsOf(key)).toMatchObject([{ number: 1, status: 400 }]);
    expect(held).toMatchObject({ fence: 2 });
  });

  test('a delivery is the truth, also when the fence was lost', async () => {
    const key = await bench.armed(Date.now() - 5000);
    const lost = await bench.claimOne();
    await bench.rows.shiftClock(HOLD_MS + 1000);
    const [held] = await bench.claim(10, Date.now() + HOLD_MS + 1000);
    await bench.ledger.record([attemptOf(lost, { kind: 'delivered', at: Date.now() })]);
    expect(await bench.rows.find(key)).toMatchObject({ state: 'COMPLETED', report: 'delivered' });
    if (held === undefined) throw new Error('was not claimed again');
    await bench.ledger.record([attemptOf(held, { kind: 'again', at: Date.now() })]);
    expect(await bench.rows.find(key)).toMatchObject({ state: 'COMPLETED', nextAttemptAt: null });
  });

  test.each(['PENDING', 'FAILED', 'SKIPPED'])(
    'a delivery that came in after the row was made %s completes it',
    async (state) => {
      const key = await bench.armed(Date.now() - 5000);
      const claimed = await bench.claimOne();
      await bench.rows.sql(
        `update events.occurrences set state = ?, reason = 'x', next_attempt_at = null,
           sending_until = null, task_token = null where key = ?`,
        [state, key],
      );
      await bench.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
      expect(await bench.rows.find(key)).toMatchObject({
        state: 'COMPLETED',
        reason: null,
        report: null,
      });
    },
  );

  test('the same batch written twice comes to the same', async () => {
    const [first, second] = [
      await bench.armed(Date.now() - 5000),
      await bench.armed(Date.now() - 5000),
    ];
    const claims = await bench.claim();
    const batch = claims.map((claimed) =>
      attemptOf(
        claimed,
        claimed.key === first
          ? { kind: 'delivered', at: Date.now() }
          : { kind: 'retry', at: Date.now() + MINUTE },
      ),
    );
    await bench.ledger.record(batch);
    // Reported between the two writes: a second report would have nobody to go to.
    await bench.rows.sql(`update events.occurrences set report = null, task_token = null`);
    const before = [await bench.rows.find(first), await bench.rows.find(second)];
    await bench.ledger.record(batch);
    expect([await bench.rows.find(first), await bench.rows.find(second)]).toEqual(before);
  });
});

describe('letting go', () => {
  test('a row whose facts changed is released uncounted, and the workflow told', async () => {
    const key = await bench.armed(Date.now() - 1000);
    const { fence } = await bench.claimOne();
    await bench.ledger.release([{ key, fence, because: 'changed' }]);
    expect(await bench.rows.find(key)).toMatchObject({
      state: 'PENDING',
      attempts: 0,
      armedAttempts: 0,
      firstAttemptAt: null,
      nextAttemptAt: null,
      sendingUntil: null,
      report: 'released',
    });
  });

  test.each(['user_deleted', 'too_late'] as const)(
    'a row that nobody is owed (%s) is SKIPPED with the reason',
    async (because) => {
      const key = await bench.armed(Date.now() - 1000);
      const { fence } = await bench.claimOne();
      await bench.ledger.release([{ key, fence, because }]);
      expect(await bench.rows.find(key)).toMatchObject({
        state: 'SKIPPED',
        reason: because,
        attempts: 0,
        report: 'skipped',
      });
    },
  );

  test('a row that was not sent is given back: uncounted, and due at once', async () => {
    const key = await bench.armed(Date.now() - 1000);
    const { fence } = await bench.claimOne();
    await bench.ledger.giveBack([{ key, fence }]);
    expect(await bench.rows.find(key)).toMatchObject({
      attempts: 0,
      firstAttemptAt: null,
      report: null,
    });
    expect(await bench.claimOne()).toMatchObject({ key, attempt: 1, fence: 2 });
  });

  test('a row that is given back is not due before its instant, should the clock be set back', async () => {
    const fireAt = Date.now() - 1000;
    const key = await bench.armed(fireAt);
    const { fence } = await bench.claimOne();
    await bench.rows.shiftClock(-MINUTE);
    await bench.ledger.giveBack([{ key, fence }]);
    expect(await bench.claim()).toEqual([]);
    expect(await bench.rows.find(key)).toMatchObject({ nextAttemptAt: fireAt, attempts: 0 });
  });

  test('only by the one who holds the row', async () => {
    const key = await bench.armed(Date.now() - 1000);
    const { fence } = await bench.claimOne();
    const before = await bench.rows.find(key);
    await bench.ledger.giveBack([{ key, fence: fence + 1 }]);
    await bench.ledger.release([{ key, fence: fence - 1, because: 'changed' }]);
    expect(await bench.rows.find(key)).toEqual(before);
  });
});

describe('a row that another transaction has locked', () => {
  test('is left to be recorded later, and holds up no other', async () => {
    const [locked, free] = [await bench.armed(Date.now() - 5000), await bench.armed(Date.now())];
    const attempts = (await bench.claim()).map((claimed) =>
      attemptOf(claimed, { kind: 'delivered', at: Date.now() }),
    );
    await bench.whileLocked(locked, async () => {
      const { left, lost } = await bench.ledger.record(attempts);
      expect({ left: left.map(({ key }) => key), lost }).toEqual({ left: [locked], lost: [] });
      expect(await bench.rows.find(free)).toMatchObject({ state: 'COMPLETED' });
    });
    expect(await bench.rows.find(locked)).toMatchObject({ state: 'PROCESSING' });
    // The other one for the second time, as when the answer to the first was lost.
    expect(await bench.ledger.record(attempts)).toEqual({ left: [], lost: [] });
    expect(await bench.rows.find(locked)).toMatchObject({ state: 'COMPLETED' });
    expect(await bench.attemptsOf(locked)).toHaveLength(1);
  });

  test('is left to be let go of later', async () => {
    const [locked, free] = [await bench.armed(Date.now() - 5000), await bench.armed(Date.now())];
    const claims = (await bench.claim()).map(({ key, fence }) => ({ key, fence }));
    const released = claims.map((claim) => ({ ...claim, because: 'changed' as const }));
    await bench.whileLocked(locked, async () => {
      expect(await bench.ledger.release(released)).toMatchObject([{ key: locked }]);
      expect(await bench.ledger.giveBack(claims)).toMatchObject([{ key: locked }]);
    });
    expect(await bench.rows.find(free)).toMatchObject({ state: 'PENDING', attempts: 0 });
    expect(await bench.ledger.giveBack(claims)).toEqual([]);
    expect(await bench.rows.find(locked)).toMatchObject({ state: 'PROCESSING', attempts: 0 });
  });

  test('two that record the same rows in opposite order do not stop each other', async () => {
    const keys = await bench.rows.addHerd(400, Date.now() - 1000);
    const attempts = (await bench.claim(400)).map((claimed) =>
      attemptOf(claimed, { kind: 'delivered', at: Date.now() }),
    );
    const record = async (given: typeof attempts): Promise<void> => {
      let left: readonly (typeof attempts)[number][] = given;
      while (left.length > 0) left = (await bench.ledger.record(left)).left;
    };
    await Promise.all(
      [attempts, attempts.toReversed(), attempts, attempts.toReversed()].map(record),
    );
    const completed = `select 1 from events.occurrences where state = 'COMPLETED'`;
    expect(await bench.rows.sql(completed)).toHaveLength(keys.length);
  });
});
