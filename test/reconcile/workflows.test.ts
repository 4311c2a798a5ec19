/** What the reconciler finds when it compares the ledger with a real Temporal server. */
import { randomUUID } from 'node:crypto';

import { describe, expect, test, vi } from 'vitest';

import { createOccasionWorkflows } from '../../src/workflows/occasion-client.ts';
import { useWatchedOccasions } from './watched-occasions.ts';

vi.setConfig({ testTimeout: 60_000 });
const WITHIN = { timeout: 30_000, interval: 50 };
const fixture = useWatchedOccasions();
const nothing = () => {};
const NOTHING = { detected: {}, repaired: {} };

const sql = (query: string, parameters: Record<string, unknown> = {}) =>
  fixture.rows.sql<Record<string, unknown>>(query, parameters);

const conclude = () =>
  fixture
    .reconciler()
    .conclude({ startedAt: Date.now(), detected: {}, repaired: {}, notLookedFor: [] });

/** No workflow has checked since, although it should have. */
const neglect = (userId: string, hours: number) =>
  sql(
    `update events.occasions set notified_wake_at = now() - :hours::float8 * interval '1 hour',
       wake_at = now() - :hours::float8 * interval '1 hour', looked_at = now() - interval '1 year'
     where id = :userId::uuid`,
    { userId, hours },
  );

const passMinutes = (minutes: number) =>
  sql(`update events.findings set tried_at = tried_at - :minutes::float8 * interval '1 minute'`, {
    minutes,
  });

/** Ids are due for a comparison again. */
const isDue = () => sql(`update events.reconciler set compared_at = now() - interval '24 hours'`);
/** As the notifier does. */
const start = async (userId: string) => {
  const workflows = createOccasionWorkflows(fixture.temporal.client, fixture.taskQueue);
  await workflows.start({ type: 'birthday', id: userId, userId }, 3_600_000);
};
/** How many workflows visibility lists. */
const listed = async () => {
  const query = `TaskQueue = '${fixture.taskQueue}' AND ExecutionStatus = 'Running'`;
  return (await fixture.temporal.client.workflow.count(query)).count;
};

describe('a Temporal store', () => {
  test('that is seen for the first time, or again, is remembered, and nothing is forgotten', async () => {
    const userId = await fixture.add();
    await fixture.markNotified(userId);
    const before = await fixture.occasionOf(userId);
    for (let nth = 0; nth < 2; nth++) {
      expect(await fixture.reconciler().checkStore(nothing)).toEqual({
        rests: false,
        forgotten: 0,
      });
    }
    expect(await fixture.occasionOf(userId)).toEqual(before);
    expect(await sql('select store_id is not null as known from events.reconciler')).toEqual([
      { known: true },
    ]);
  });

  test('that is different from the previous one has none of the workflows: all are notified again', async () => {
    const users: string[] = [];
    for (let nth = 0; nth < 7; nth++) users.push(await fixture.add());
    await fixture.markNotified(...users);
    await sql(`update events.reconciler set store_id = 'another'`);

    // It is interrupted after the first page, and resumes from there.
    let pages = 0;
    const interrupted = fixture.reconciler().checkStore(() => {
      pages++;
      throw new Error('the worker is killed');
    });
    await expect(interrupted).rejects.toThrow('killed');
    const { forgotten } = await fixture.reconciler().checkStore(() => void pages++);

    expect({ pages, forgotten }).toEqual({ pages: 5, forgotten: 5 });
    for (const userId of users) {
      expect(await fixture.occasionOf(userId)).toMatchObject({
        notifiedAt: null,
        isAwaited: true,
        // A late answer from a workflow of the other store is not recorded.
        calledAt: expect.any(String),
      });
    }
    expect(
      await sql(
        `select forget_after as place, temporal_back_at > now() - interval '1 minute' as back
         from events.reconciler`,
      ),
    ).toEqual([{ place: null, back: true }]);
    expect(fixture.lines).toMatchObject([{ level: 'warn', forgotten: 5 }]);
  });

  test('is not checked while a herd is sent', async () => {
    await sql(
      `insert into events.dispatchers (id, stamped_at, busy_at)
       values (gen_random_uuid(), now(), now())`,
    );
    expect(await fixture.reconciler().checkStore(nothing)).toMatchObject({ rests: true });
  });
});

describe('an occasion that no workflow checks', () => {
  test('is notified three times, five minutes apart, and then an alarm names it', async () => {
    const userId = await fixture.add();
    const { lookForUnwatched } = fixture.reconciler();
    await neglect(userId, 3);

    expect(await lookForUnwatched()).toEqual({ detected: { unwatched: 1 }, repaired: {} });
    expect(await fixture.occasionOf(userId)).toMatchObject({ notifiedAt: null });
    expect(await fixture.findings()).toMatchObject([{ tries: 1 }]);
    for (const tries of [2, 3]) {
      await neglect(userId, 3);
      await lookForUnwatched();
      // Not yet.
      expect(await fixture.findings()).toMatchObject([{ tries: tries - 1 }]);
      await passMinutes(6);
      expect(await lookForUnwatched()).toEqual(NOTHING);
      expect(await fixture.occasionOf(userId)).toMatchObject({ notifiedAt: null });
      expect(await fixture.findings()).toMatchObject([{ tries }]);
    }
    expect(await conclude()).toEqual({ unrepaired: {}, examples: [] });

    await neglect(userId, 3);
    await passMinutes(6);
    expect(await lookForUnwatched()).toEqual(NOTHING);
    expect(await fixture.findings()).toMatchObject([{ tries: 3 }]);
    const example = {
      kind: 'unwatched',
      subject: `birthday/${userId}`,
      why: 'no workflow has checked it since it should have woken; there is no such workflow',
    };
    expect(await conclude()).toEqual({ unrepaired: { unwatched: 1 }, examples: [example] });
    expect(fixture.alarms()).toMatchObject([
      { alarm: 'reconcile-unrepaired', examples: [example] },
    ]);

    // After a day it is tried again.
    await passMinutes(25 * 60);
    await lookForUnwatched();
    expect(await fixture.occasionOf(userId)).toMatchObject({ notifiedAt: null });

    await sql('update events.occasions set looked_at = now()');
    expect(await lookForUnwatched()).toEqual({ detected: {}, repaired: { unwatched: 1 } });
    expect(await fixture.findings()).toEqual([]);
    expect(await conclude()).toEqual({ unrepaired: {}, examples: [] });
  });

  test('counts as such even while nobody has notified its workflow', async () => {
    const userId = await fixture.add();
    await neglect(userId, 3);
    await sql('update events.occasions set notified_wake_at = null');
    expect((await fixture.reconciler().lookForUnwatched()).detected).toEqual({ unwatched: 1 });
  });

  test.for<[string, string]>([
    ['within two hours', `notified_wake_at = now() - interval '119 minutes'`],
    ['to which a workflow has looked meanwhile', `looked_at = now() - interval '1 hour'`],
    ['that has ended', `ended_at = now(), wake_at = null`],
  ])('is fine %s', async ([, columns]) => {
    const userId = await fixture.add();
    await neglect(userId, 3);
    await sql(`update events.occasions set ${columns}`);
    expect(await fixture.reconciler().lookForUnwatched()).toEqual(NOTHING);
  });

  test('gets two hours from the return of Temporal', async () => {
    const userId = await fixture.add();
    await neglect(userId, 30);
    // For a day no run of the reconciler has succeeded.
    await sql(`update events.reconciler set workflows_looked_at = now() - interval '1 day'`);
    const { checkStore, lookForUnwatched } = fixture.reconciler();
    await checkStore(nothing);
    expect(await lookForUnwatched()).toEqual(NOTHING);

    // The next run finds no break.
    await sql(`update events.reconciler set temporal_back_at = now() - interval '121 minutes'`);
    await checkStore(nothing);
    expect((await lookForUnwatched()).detected).toEqual({ unwatched: 1 });
  });
});

describe('once a day all ids are compared', () => {
  test('but not more often', async () => {
    await start(randomUUID());
    const comparison = await fixture.reconciler().compare(nothing);
    expect(comparison).toEqual({ ...NOTHING, compared: null });
  });

  test('a workflow without an occasion is asked to end, and an occasion without one is notified', async () => {
    const users: string[] = [];
    for (let nth = 0; nth < 5; nth++) users.push(await fixture.add());
    await fixture.markNotified(...users);
    const [lost = '', ended = '', ...well] = users;
    const stray = randomUUID();
    const before = await listed();
    for (const userId of [ended, ...well, stray]) await start(userId);
    await expect.poll(listed, WITHIN).toBe(before + 5);
    await sql(
      `update events.occasions set ended_at = now() - interval '2 hours', wake_at = null,
         notified_wake_at = null, end_notified_at = now() - interval '2 hours'
       where id = :ended::uuid`,
      { ended },
    );
    await isDue();

    const { compare } = fixture.reconciler();
    const found = await compare(nothing);

    expect(found.detected['lost']).toBe(1);
    const subjects = (await fixture.findings()).map(({ kind, subject }) => `${kind} ${subject}`);
    expect(subjects).toEqual(
      expect.arrayContaining([
        `lost birthday/${lost}`,
        `stray birthday/${ended}`,
        `stray birthday/${stray}`,
      ]),
    );
    for (const userId of well) expect(subjects.join()).not.toContain(userId);
    expect(await fixture.occasionOf(lost)).toMatchObject({ notifiedAt: null });

    // The notifier starts the one; both strays were asked to end.
    fixture.startNotifier();
    await fixture.startWorker();
    await expect
      .poll(async () => (await fixture.workflowOf(lost).describe()).status.name, WITHIN)
      .toBe('RUNNING');
    for (const userId of [ended, stray]) {
      await expect
        .poll(async () => (await fixture.workflowOf(userId).describe()).status.name, WITHIN)
        .toBe('COMPLETED');
    }
    await expect
      .poll(async () => (await fixture.occasionOf(lost)).notifiedAt, WITHIN)
      .not.toBeNull();
    expect((await compare(nothing)).repaired).toMatchObject({ lost: 1 });
    const left = (await fixture.findings()).map(({ subject }) => subject);
    for (const userId of users) expect(left).not.toContain(`birthday/${userId}`);
  });

  test('an occasion that was notified a moment ago is not lost, although visibility lags', async () => {
    const userId = await fixture.add();
    await start(userId);
    await fixture.markNotified(userId);
    await isDue();
    const { detected } = await fixture.reconciler().compare(nothing);
    expect(detected['lost']).toBeUndefined();
  });

  test('a lost one that the notifier does not start, and a stray that does not end, raise alarms', async () => {
    const lost = await fixture.add();
    await fixture.markNotified(lost);
    const stray = randomUUID();
    const before = await listed();
    await start(stray);
    await expect.poll(listed, WITHIN).toBe(before + 1);
    await isDue();
    const { compare } = fixture.reconciler();
    await compare(nothing);
    expect(await conclude()).toMatchObject({ unrepaired: {} });

    for (let nth = 0; nth < 3; nth++) await compare(nothing);
    await sql(`update events.findings set found_at = now() - interval '2 hours'`);
    const { unrepaired, examples } = await conclude();
    expect(unrepaired['lost']).toBe(1);
    expect(unrepaired['stray']).toBeGreaterThanOrEqual(1);
    expect(examples).toContainEqual({
      kind: 'lost',
      subject: `birthday/${lost}`,
      why: 'its workflow does not run; there is no such workflow',
    });
    expect(examples).toContainEqual({
      kind: 'stray',
      subject: `birthday/${stray}`,
      why: 'it runs, but its occasion no longer exists; it waits for a worker',
    });
  });
});
