/** What the reconciler finds in planted rows, and what it does not. */
import { expect, test } from 'vitest';

import { plantOccurrence } from '../support/plant-occurrence.ts';
import { HOUR, isoIn, MINUTE, useReconcileFixture } from '../support/reconcile-fixture.ts';

const REDELIVERY = '0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e90';

const fixture = useReconcileFixture();
const { plant, plantArmed, plantNext, plantNews, look } = fixture;

test.for<[string, string, Record<string, unknown>]>([
  ['a plan past its instant', 'unattempted', { fire_at: isoIn(-3 * MINUTE) }],
  ['a plan that was not checked in time', 'unchecked', { fire_at: isoIn(23 * HOUR) }],
  [
    'an outcome untold for hours',
    'unreported',
    {
      state: 'COMPLETED',
      fire_at: isoIn(-2 * HOUR),
      settled_at: isoIn(-2 * HOUR),
      report: 'delivered',
      task_token: Buffer.from('a1', 'hex'),
      // A reporter tries, again and again.
      reporting_until: isoIn(MINUTE),
    },
  ],
  [
    'a released row whose workflow does not know',
    'unreported',
    {
      fire_at: isoIn(300 * 24 * HOUR),
      planned_at: isoIn(-2 * HOUR),
      report: 'released',
      task_token: Buffer.from('a1', 'hex'),
    },
  ],
])('%s is %s', async ([, kind, columns]) => {
  const key = await plant(columns);
  if (columns['state'] === 'COMPLETED') await plantNext(key);
  expect(await look()).toEqual({ [key]: kind });
});

test.for<[string, string, Record<string, unknown>]>([
  ['that Temporal was to retry', 'unattempted', { attempts: 4, retry_at: isoIn(-3 * MINUTE) }],
  ['that never had a retry', 'unattempted', {}],
  [
    'whose redelivery Temporal was to retry',
    'stalled_redelivery',
    { redelivery_id: REDELIVERY, retry_at: isoIn(-3 * MINUTE) },
  ],
])('an armed row %s and did not is %s', async ([, kind, columns]) => {
  const key = await plantArmed(columns);
  if (kind === 'stalled_redelivery') await plantNext(key);
  expect(await look()).toEqual({ [key]: kind });
});

test.for<[string, Record<string, unknown>]>([
  ['planned for next year', { fire_at: '2030-05-20T07:00:00Z' }],
  ['due within a day and checked', { fire_at: isoIn(HOUR), rechecked_at: isoIn(-HOUR) }],
  ['due in two days and not checked', { fire_at: isoIn(48 * HOUR) }],
  ['past its instant by a minute', { fire_at: isoIn(-MINUTE), rechecked_at: isoIn(-HOUR) }],
  ['owed and planned just now', { fire_at: isoIn(-HOUR), planned_at: isoIn(-MINUTE) }],
  ['blocked', { fire_at: null }],
])('a plan that is %s is well', async ([, columns]) => {
  await plant(columns);
  expect(await look()).toEqual({});
});

test.for<[string, Record<string, unknown>]>([
  ['to come', { fire_at: isoIn(MINUTE), next_attempt_at: isoIn(MINUTE) }],
  ['due for hours, because deliveries are paused', { next_attempt_at: isoIn(-HOUR) }],
  ['on the wire', { next_attempt_at: isoIn(MINUTE), sending_until: isoIn(MINUTE) }],
  ['in the pause before Temporal tries again', { retry_at: isoIn(MINUTE) }],
  ['what Temporal has only now to try again', { retry_at: isoIn(-MINUTE) }],
  [
    'what Temporal is yet to be told to try again',
    { retry_at: isoIn(-3 * MINUTE), report: 'retry', task_token: Buffer.from('a1', 'hex') },
  ],
  [
    'being redelivered, and waits for that',
    { redelivery_id: REDELIVERY, next_attempt_at: isoIn(-HOUR) },
  ],
])('an armed row that is %s is well', async ([, columns]) => {
  const key = await plantArmed(columns);
  if (columns['redelivery_id']) await plantNext(key);
  expect(await look()).toEqual({});
});

test('what was settled, and is planned for next year, is well', async () => {
  for (const state of ['COMPLETED', 'FAILED', 'SKIPPED']) {
    await plantNext(await plant({ state, settled_at: isoIn(-24 * HOUR) }));
  }
  expect(await look()).toEqual({});
});

test('10,000 users as planning leaves them, some of them due, armed, greeted or redelivered, are well', async () => {
  await fixture.rows.sql(`
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, facts_changed_at)
    select gen_random_uuid(), 'Ada', n::text, '1990-05-20', 'Europe/Berlin', 1,
      now() - interval '2 years', now(), now() - interval '2 years'
    from generate_series(1, 10000) as n`);
  await fixture.rows.sql(`
    insert into users.outbox (type, user_id, revision, occurred_at, relayed_at)
    select 'UserCreated', id, 1, now() - interval '1 day', now() - interval '1 day'
    from users.users`);
  const plant = (year: number, state: string, fireAt: string, others: string) =>
    fixture.rows.sql(`
      insert into events.occurrences (key, event_type, user_id, year, state, anchor_date, timezone,
        local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at, rechecked_at,
        armed_at, next_attempt_at, settled_at, report, task_token, redelivery_id)
      select 'birthday:' || id || ':${year}', 'birthday', id, ${year}, '${state}', '1990-05-20',
        'Europe/Berlin', '09:00', 'feb28', '2026c', '2026-05-20', fire_at,
        least(now(), fire_at) - interval '300 days', ${others}
      from (select id, last_name::int as n from users.users) as u,
        lateral (select ${fireAt} as fire_at) as f`);
  await plant(
    2025,
    'COMPLETED',
    "now() - interval '1 hour' - interval '300 days' * n / 10000",
    `fire_at - interval '2 days', fire_at - interval '1 minute', null, fire_at, null, null,
      case when n % 100 = 0 then gen_random_uuid() end`,
  );
  // Evenly over the year to come; the first of them are due now.
  await plant(
    2026,
    'PENDING',
    "now() + interval '330 days' * n / 10000",
    `case when fire_at < now() + interval '48 hours' then now() - interval '1 hour' end,
      null, null, null, null, null, null`,
  );
  await fixture.rows.sql(`
    update events.occurrences
    set state = 'PROCESSING', armed_at = now(), next_attempt_at = fire_at, task_token = 'a1'
    where state = 'PENDING' and fire_at < now() + interval '6 hours'`);
  // The last herd: some are not reported yet, and so have no plan for the next year.
  await fixture.rows.sql(`
    update events.occurrences
    set state = 'COMPLETED', settled_at = now(), report = 'delivered', next_attempt_at = null
    where state = 'PROCESSING' and fire_at < now() + interval '1 hour'`);

  expect(await look()).toEqual({});
  expect(await fixture.ledger.confirm()).toEqual({});
});

test('a user without a plan is found, also one whose only row was settled or is redelivered', async () => {
  const never = await fixture.rows.addUser();
  const settled = await plant({ state: 'FAILED', settled_at: isoIn(-HOUR) });
  const redelivered = await plantArmed({
    redelivery_id: REDELIVERY,
    next_attempt_at: isoIn(-MINUTE),
  });
  expect(await look()).toEqual({
    [`birthday:${never}`]: 'unplanned',
    [settled.replace(/:\d+$/, '')]: 'unplanned',
    [redelivered.replace(/:\d+$/, '')]: 'unplanned',
  });
});

test.for<[string, (userId: string) => Promise<unknown>]>([
  [
    'was created just now',
    (id) => fixture.rows.sql('update users.users set created_at = now() where id = ?', [id]),
  ],
  ['has news that is not relayed', (id) => plantNews(id)],
  ['has news that was relayed just now', (id) => plantNews(id, { relayed_at: isoIn(-MINUTE) })],
  [
    'was greeted just now',
    (user_id) =>
      plantOccurrence(fixture.rows.sql, {
        user_id,
        state: 'COMPLETED',
        settled_at: isoIn(-MINUTE),
      }),
  ],
  [
    'waits for an outcome to be told',
    (user_id) =>
      plantOccurrence(fixture.rows.sql, {
        user_id,
        state: 'COMPLETED',
        report: 'delivered',
        settled_at: isoIn(-20 * MINUTE),
      }),
  ],
])('a user without a plan who %s is well', async ([, plantMore]) => {
  await plantMore(await fixture.rows.addUser());
  expect(await look()).toEqual({});
});

test('news that was relayed long ago, set aside, or is for somebody else plans nobody', async () => {
  const users = [
    await fixture.rows.addUser(),
    await fixture.rows.addUser(),
    await fixture.rows.addUser(),
  ] as const;
  await plantNews(users[0], { relayed_at: isoIn(-HOUR) });
  await plantNews(users[1], { set_aside_at: isoIn(-HOUR) });
  await plantNews(users[2], { subscriber: 'somebody else' });
  const [event] = await fixture.rows.sql<{ id: string }>(
    'select id from users.outbox where set_aside_at is not null',
  );
  expect(await look()).toEqual({
    [`outbox:${event?.id}`]: 'set_aside',
    ...Object.fromEntries(users.map((id) => [`birthday:${id}`, 'unplanned'])),
  });
});

test('a plan whose user is gone is an orphan, unless the news of that is under way', async () => {
  const future = { fire_at: '2030-05-20T07:00:00Z' };
  const orphan = await plantOccurrence(fixture.rows.sql, future);
  const deleted = await plantOccurrence(fixture.rows.sql, { ...future, year: 2029 });
  await plantNews(deleted.split(':')[1] ?? '', { type: 'UserDeleted' });
  expect(await look()).toEqual({ [orphan]: 'orphaned' });
});

test('with another store than before, all that was planned until then has lost its follower', async () => {
  const before = await plant({ fire_at: '2030-05-20T07:00:00Z' });
  const blocked = await plant({ fire_at: null });
  const armed = await plantArmed({ next_attempt_at: isoIn(MINUTE) });
  await fixture.ledger.rememberStore('store-1');
  expect(await look()).toEqual({});

  await fixture.ledger.rememberStore('store-2');
  await plant({ fire_at: '2030-05-21T07:00:00Z', planned_at: isoIn(0) });
  await fixture.ledger.rememberStore('store-2');
  const lost = { [before]: 'store_lost', [blocked]: 'store_lost', [armed]: 'store_lost' };
  expect(await look()).toEqual(lost);

  await fixture.rows.sql('update events.occurrences set planned_at = ?', [isoIn(0)]);
  await fixture.ledger.confirm();
  expect(await look()).toEqual({});
  expect(
    await fixture.rows.sql('select planned_elsewhere_until as until from events.reconciler'),
  ).toEqual([{ until: null }]);
});

test('that everybody is to be planned again is not forgotten when the store becomes known', async () => {
  const key = await plant({ planned_at: isoIn(-HOUR), fire_at: '2030-05-20T07:00:00Z' });
  await fixture.rows.sql('update events.reconciler set planned_elsewhere_until = now()');
  await fixture.ledger.rememberStore('the first that is seen');
  expect(await look()).toMatchObject({ [key]: 'store_lost' });
});
