/** Occurrences past their retention time: the audit of their day stays, and they are removed. */
import { expect, test } from 'vitest';

import { createHousekeepingActivities } from '../../src/activities/housekeeping.ts';
import { createAuditStore } from '../../src/audit/stored-audits.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { counted, DAY, useAuditFixture } from '../support/audit-fixture.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = useAuditFixture();

const KEPT_DAYS = 100;
/** The database's clock: according to the calendar, 10 May was 100 days ago. */
const NOW = Date.UTC(2026, 7, 18, 12);
/** This many days ago, the last year was just over, but not everywhere a few days ago. */
const NEW_YEAR_DAYS = 228;
const DAILY = { type: 'reminder', recurrence: 'daily', date: '2026-01-01' };
/** Its birthday is not audited. */
const BERLIN = { dateOfBirth: '1990-11-11', timezone: 'Europe/Berlin' };
const SPRING = Date.UTC(2026, 3, 1);

const deps = () => ({
  orm: fixture.orm,
  tz: bundledTz,
  limits: { lateAfterMs: 300_000, lateLimitMs: 2 * DAY, giveUpAfterMs: 3 * DAY },
  clock: () => NOW,
});

async function prune(keptDays = KEPT_DAYS): Promise<number> {
  const forGood = 10_000 * DAY;
  const keep = {
    attemptsMs: forGood,
    responseExcerptsMs: forGood,
    idempotencyKeysMs: forGood,
    outboxMs: forGood,
    occurrencesMs: keptDays * DAY,
  };
  const retention = createRetention(fixture.orm);
  const audits = createAuditStore(deps());
  await fixture.sql('update events.test_clock set at = to_timestamp(:now::float8 / 1000)', {
    now: NOW,
  });
  const activities = createHousekeepingActivities({ retention, audits });
  let occurrences = 0;
  let result;
  do {
    result = await activities.prune({ keep });
    occurrences += result.removed.occurrences;
  } while (result.more);
  await fixture.sql('update events.test_clock set at = null');
  return occurrences;
}

interface Planted {
  readonly userId: string;
  readonly occasionId: string;
}

/** A user in Berlin with a daily reminder. */
async function addDaily(): Promise<Planted> {
  const userId = await fixture.add(BERLIN, SPRING, false);
  return { userId, occasionId: await fixture.addOccasion(userId, DAILY, SPRING, false) };
}

/** An occurrence of it that was sent. */
async function plantDay({ userId, occasionId }: Planted, day: string, columns: object = {}) {
  const key = await plantOccurrence(fixture.sql, {
    occasion_type: 'reminder',
    occasion_id: occasionId,
    user_id: userId,
    recurrence: 'daily',
    date: DAILY.date,
    nominal_date: day,
    due_at: `${day}T07:00:00Z`,
    state: 'COMPLETED',
    followed: true,
    ...columns,
  });
  await plantAttempt(fixture.sql, key);
  return key;
}

const keysLeft = async () =>
  (await fixture.sql<{ key: string }>('select key from events.occurrences order by key')).map(
    ({ key }) => key,
  );

test('are removed day by day, with their attempts, and the audit of each day returns the same as before', async () => {
  const daily = await addDaily();
  const days = ['2026-05-02', '2026-05-04', '2026-05-05', '2026-05-25'];
  const keys: string[] = [];
  for (const day of days) keys.push(await plantDay(daily, day));
  const before = await Promise.all(days.map((day) => fixture.audit(day, NOW)));
  expect(before.map(counted)).toEqual(days.map(() => ({ due: 1, delivered: 1 })));

  // Two days are between the local day and its end everywhere, and a few more to be sure.
  expect(await prune()).toBe(1);
  expect(await keysLeft()).toEqual(keys.slice(1).toSorted());
  expect(await prune(KEPT_DAYS - 10)).toBe(2);
  expect(await keysLeft()).toEqual([keys[3]]);
  expect(await fixture.sql('select 1 from events.attempts')).toHaveLength(1);
  const after = await Promise.all(days.map((day) => fixture.audit(day, NOW)));
  expect(after).toEqual(before);
  expect(await prune(KEPT_DAYS - 10)).toBe(0);
});

test('stay while they are open, wait for the next plan, or may fall due again', async () => {
  const daily = await addDaily();
  const open = await plantDay(daily, '2026-05-01', { state: 'PENDING' });
  const [unfollowed, ahead] = [await addDaily(), await addDaily()];
  const waiting = await plantDay(unfollowed, '2026-05-01', { followed: false });
  // Sent long before its day.
  const columns = { nominal_date: '2026-08-01', local_date: '2026-05-01', offset_days: 92 };
  const early = await plantDay(ahead, '2026-05-01', columns);
  // The year is not over: a corrected date may still fall due in it.
  const birthday = await plantOccurrence(fixture.sql, {
    user_id: daily.userId,
    nominal_date: '2026-05-02',
    due_at: '2026-05-02T07:00:00Z',
    state: 'COMPLETED',
    followed: true,
  });
  expect(await prune()).toBe(0);
  expect(await keysLeft()).toEqual([birthday, early, open, waiting].toSorted());
});

test('a birthday is removed when its year is over', async () => {
  const born = { ...BERLIN, dateOfBirth: '1990-12-28' };
  const userId = await fixture.add(born, Date.UTC(2025, 3, 1), false);
  await plantOccurrence(fixture.sql, {
    user_id: userId,
    date: born.dateOfBirth,
    nominal_date: '2025-12-28',
    due_at: '2025-12-28T08:00:00Z',
    state: 'COMPLETED',
    followed: true,
  });
  expect(await prune(NEW_YEAR_DAYS)).toBe(0);
  expect(await prune()).toBe(1);
  expect(counted(await fixture.audit('2025-12-28', NOW))).toEqual({ due: 1, delivered: 1 });
});

test('only numbers of a day are stored: no key, and so no id', async () => {
  const { userId, occasionId } = await addDaily();
  await plantDay({ userId, occasionId }, '2026-05-01');
  await prune();
  const stored = await fixture.sql<{ report: string }>(
    'select report::text as report from events.audits',
  );
  expect(stored.length).toBeGreaterThan(2);
  const texts = stored.map(({ report }) => report).join('\n');
  expect(texts).toContain('"unaccounted": {"count": 1');
  expect(texts).not.toContain(userId);
  expect(texts).not.toContain(occasionId);
});
