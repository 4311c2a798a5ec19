import { describe, expect, test } from 'vitest';

import { attemptOf, HOLD_MS, MINUTE, useLedgerFixture } from '../support/ledger-fixture.ts';

const fixture = useLedgerFixture();

describe('recording', () => {
  test('a delivery completes the row, with its lateness, and is to be reported', async () => {
    const fireAt = Date.now() - 3000;
    const key = await fixture.armed(fireAt);
    const claimed = await fixture.claimOne();
    const at = fireAt + 2345;
    await fixture.ledger.record([
      attemptOf(claimed, { kind: 'delivered', at }, { responseExcerpt: `it's "ok"? \\ \u{1F382}` }),
    ]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'COMPLETED',
      deliveredAt: at,
      latenessMs: 2345,
      report: 'delivered',
      nextAttemptAt: null,
      sendingUntil: null,
    });
    expect(await fixture.attemptsOf(key)).toEqual([
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
    const key = await fixture.armed(Date.now() - 5000);
    const at = Date.now() + 2000;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), { kind: 'again', at })]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PROCESSING',
      nextAttemptAt: at,
      sendingUntil: null,
      report: null,
    });
    expect(await fixture.claim()).toEqual([]);
    await fixture.rows.shiftClock(3000);
    expect(await fixture.claim(10, Date.now() + 3000)).toMatchObject([
      { attempt: 2, armedAttempt: 2 },
    ]);
  });

  test("when it is Temporal's turn, the row waits to be armed again", async () => {
    const key = await fixture.armed(Date.now() - 5000);
    const at = Date.now() + 10_000;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), { kind: 'retry', at })]);
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'PROCESSING',
      nextAttemptAt: null,
      retryAt: at,
      report: 'retry',
    });
    expect(await fixture.ledger.nextDueInMs(Date.now())).toBeNull();
  });

  test('what was given up is FAILED with the reason', async () => {
    const key = await fixture.armed(Date.now() - 5000);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    const attempt = attemptOf(await fixture.claimOne(), next, { status: 400 });
    // For the second time as when the answer to the first was lost.
    for (let time = 1; time <= 2; time++) {
      expect(await fixture.ledger.record([attempt])).toEqual({ left: [], lost: [] });
    }
    expect(await fixture.rows.find(key)).toMatchObject({
      state: 'FAILED',
      reason: 'refused',
      report: 'failed',
      nextAttemptAt: null,
    });
  });

  test('a lost fence keeps the attempt but changes nothing else', async () => {
    const key = await fixture.armed(Date.now() - 5000);
    const lost = await fixture.claimOne();
    await fixture.rows.shiftClock(HOLD_MS + 1000);
    const [held] = await fixture.claim(10, Date.now() + HOLD_MS + 1000);
    const before = await fixture.rows.find(key);
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    const attempt = attemptOf(lost, next, { status: 400 });
    expect(await fixture.ledger.record([attempt])).toEqual({ left: [], lost: [attempt] });
    expect(await fixture.rows.find(key)).toEqual(before);
    expect(await fixture.attemptsOf(key)).toMatchObject([{ number: 1, status: 400 }]);
    expect(held).toMatchObject({ fence: 2 });
  });

  test('a delivery is the truth, also when the fence was lost', async () => {
    const key = await fixture.armed(Date.now() - 5000);
    const lost = await fixture.claimOne();
    await fixture.rows.shiftClock(HOLD_MS + 1000);
    const [held] = await fixture.claim(10, Date.now() + HOLD_MS + 1000);
    await fixture.ledger.record([attemptOf(lost, { kind: 'delivered', at: Date.now() })]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', report: 'delivered' });
    if (held === undefined) throw new Error('was not claimed again');
    await fixture.ledger.record([attemptOf(held, { kind: 'again', at: Date.now() })]);
    expect(await fixture.rows.find(key)).toMatchObject({ state: 'COMPLETED', nextAttemptAt: null });
  });

  test.each(['PENDING', 'FAILED', 'SKIPPED'])(
    'a delivery that came in after the row was made %s completes it',
    async (state) => {
      const key = await fixture.armed(Date.now() - 5000);
      const claimed = await fixture.claimOne();
      await fixture.rows.sql(
        `update events.occurrences set state = ?, reason = 'x', next_attempt_at = null,
           sending_until = null, task_token = null where key = ?`,
        [state, key],
      );
      await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at: Date.now() })]);
      expect(await fixture.rows.find(key)).toMatchObject({
        state: 'COMPLETED',
        reason: null,
        report: null,
      });
    },
  );

  test('the same batch written twice comes to the same', async () => {
    const [first, second] = [
      await fixture.armed(Date.now() - 5000),
      await fixture.armed(Date.now() - 5000),
    ];
    const claims = await fixture.claim();
    const batch = claims.map((claimed) =>
      attemptOf(
        claimed,
        claimed.key === first
          ? { kind: 'delivered', at: Date.now() }
          : { kind: 'retry', at: Date.now() + MINUTE },
      ),
    );
    await fixture.ledger.record(batch);
    // Reported between the two writes: a second report would have nobody to go to.
    await fixture.rows.sql(`update events.occurrences set report = null, task_token = null`);
    const before = [await fixture.rows.find(first), await fixture.rows.find(second)];
    await fixture.ledger.record(batch);
    expect([await fixture.rows.find(first), await fixture.rows.find(second)]).toEqual(before);
  });
});

describe('letting go', () => {
  test('a row whose facts changed is released uncounted, and the workflow told', async () => {
    const key = await fixture.armed(Date.now() - 1000);
    const { fence } = await fixture.claimOne();
    await fixture.ledger.release([{ key, fence, because: 'changed' }]);
    expect(await fixture.rows.find(key)).toMatchObject({
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
      const key = await fixture.armed(Date.now() - 1000);
      const { fence } = await fixture.claimOne();
      await fixture.ledger.release([{ key, fence, because }]);
      expect(await fixture.rows.find(key)).toMatchObject({
        state: 'SKIPPED',
        reason: because,
        attempts: 0,
        report: 'skipped',
      });
    },
  );

  test('a row that was not sent is given back: uncounted, and due at once', async () => {
    const key = await fixture.armed(Date.now() - 1000);
    const { fence } = await fixture.claimOne();
    await fixture.ledger.giveBack([{ key, fence }]);
    expect(await fixture.rows.find(key)).toMatchObject({
      attempts: 0,
      firstAttemptAt: null,
      report: null,
    });
    expect(await fixture.claimOne()).toMatchObject({ key, attempt: 1, fence: 2 });
  });

  test('a row that is given back is not due before its instant, should the clock be set back', async () => {
    const fireAt = Date.now() - 1000;
    const key = await fixture.armed(fireAt);
    const { fence } = await fixture.claimOne();
    await fixture.rows.shiftClock(-MINUTE);
    await fixture.ledger.giveBack([{ key, fence }]);
    expect(await fixture.claim()).toEqual([]);
    expect(await fixture.rows.find(key)).toMatchObject({ nextAttemptAt: fireAt, attempts: 0 });
  });

  test('only by the one who holds the row', async () => {
    const key = await fixture.armed(Date.now() - 1000);
    const { fence } = await fixture.claimOne();
    const before = await fixture.rows.find(key);
    await fixture.ledger.giveBack([{ key, fence: fence + 1 }]);
    await fixture.ledger.release([{ key, fence: fence - 1, because: 'changed' }]);
    expect(await fixture.rows.find(key)).toEqual(before);
  });
});

describe('a row that another transaction has locked', () => {
  test('is left to be recorded later, and holds up no other', async () => {
    const [locked, free] = [
      await fixture.armed(Date.now() - 5000),
      await fixture.armed(Date.now()),
    ];
    const attempts = (await fixture.claim()).map((claimed) =>
      attemptOf(claimed, { kind: 'delivered', at: Date.now() }),
    );
    await fixture.whileLocked(locked, async () => {
      const { left, lost } = await fixture.ledger.record(attempts);
      expect({ left: left.map(({ key }) => key), lost }).toEqual({ left: [locked], lost: [] });
      expect(await fixture.rows.find(free)).toMatchObject({ state: 'COMPLETED' });
    });
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'PROCESSING' });
    // The other one for the second time, as when the answer to the first was lost.
    expect(await fixture.ledger.record(attempts)).toEqual({ left: [], lost: [] });
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'COMPLETED' });
    expect(await fixture.attemptsOf(locked)).toHaveLength(1);
  });

  test('is left to be let go of later', async () => {
    const [locked, free] = [
      await fixture.armed(Date.now() - 5000),
      await fixture.armed(Date.now()),
    ];
    const claims = (await fixture.claim()).map(({ key, fence }) => ({ key, fence }));
    const released = claims.map((claim) => ({ ...claim, because: 'changed' as const }));
    await fixture.whileLocked(locked, async () => {
      expect(await fixture.ledger.release(released)).toMatchObject([{ key: locked }]);
      expect(await fixture.ledger.giveBack(claims)).toMatchObject([{ key: locked }]);
    });
    expect(await fixture.rows.find(free)).toMatchObject({ state: 'PENDING', attempts: 0 });
    expect(await fixture.ledger.giveBack(claims)).toEqual([]);
    expect(await fixture.rows.find(locked)).toMatchObject({ state: 'PROCESSING', attempts: 0 });
  });

  test('two that record the same rows in opposite order do not stop each other', async () => {
    const keys = await fixture.rows.addHerd(400, Date.now() - 1000);
    const attempts = (await fixture.claim(400)).map((claimed) =>
      attemptOf(claimed, { kind: 'delivered', at: Date.now() }),
    );
    const record = async (given: typeof attempts): Promise<void> => {
      let left: readonly (typeof attempts)[number][] = given;
      while (left.length > 0) left = (await fixture.ledger.record(left)).left;
    };
    await Promise.all(
      [attempts, attempts.toReversed(), attempts, attempts.toReversed()].map(record),
    );
    const completed = `select 1 from events.occurrences where state = 'COMPLETED'`;
    expect(await fixture.rows.sql(completed)).toHaveLength(keys.length);
  });
});
