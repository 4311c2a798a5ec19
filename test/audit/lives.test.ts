// @module-tag long
/** Random lives through the real planner: the audit of any day accounts for every occurrence. */
import { expect, test } from 'vitest';

import { DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';

const fixture = useAuditFixture();

/** The year in which Apia had no 30 December, and a leap year after it. */
const START = Date.UTC(2011, 10, 1);
const END = Date.UTC(2013, 2, 10);
const USERS = 40;
const SEED = 20_111_230;

const ZONES = [
  'Pacific/Kiritimati',
  'Pacific/Apia',
  'Asia/Tokyo',
  'Europe/London',
  'America/New_York',
  'Pacific/Pago_Pago',
];
const AROUND = [0, 1, MINUTE, -MINUTE, 3 * HOUR, -3 * HOUR, 20 * HOUR, -20 * HOUR, 70 * HOUR];
const OUTAGES = [2 * HOUR, 30 * HOUR, 100 * HOUR];
const DAYS = ['01-01', '12-30', '12-31', '02-28', '02-29', '03-01', '05-20', '05-21', '09-01'];

/** The installation's own changes, on birthdays; never at an instant at which one is due. */
const RULES = [
  { at: Date.UTC(2011, 11, 31, 3), rules: { localTime: '18:00' } },
  { at: Date.UTC(2012, 4, 20, 2), rules: { localTime: '07:30' } },
  { at: Date.UTC(2012, 8, 1, 12), rules: { localTime: '09:00' } },
  { at: Date.UTC(2013, 1, 28, 14, 30), rules: { localTime: '09:00', leapDayPolicy: 'mar1' } },
] as const;

const NONE = { count: 0, first: [] };

test('nothing is unaccounted for on any day, whatever was moved, corrected, deleted or sent late', async () => {
  const random = createRandom(SEED);
  for (const { rules, at } of RULES) await fixture.addRules(rules, at);
  for (let index = 0; index < USERS; index += 1) await live(random);

  const totals = { due: 0, delivered: 0, late: 0, changedSince: 0 };
  const byReason: Record<string, number> = {};
  for (const day of await daysOfInterest()) {
    const report = await fixture.audit(day, END);
    expect(report).toMatchObject({ date: day, unaccounted: NONE, doubles: NONE, unexpected: NONE });
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += report[name];
    for (const { byReason: counts } of [report.failed, report.skipped]) {
      for (const [reason, count] of Object.entries(counts)) {
        byReason[reason] = (byReason[reason] ?? 0) + count;
      }
    }
  }
  // The test was not vacuous.
  for (const count of Object.values(totals)) expect(count).toBeGreaterThan(0);
  expect(Object.keys(byReason)).toEqual(
    expect.arrayContaining(['refused', 'too_late', 'date_changed']),
  );
  const [completed] = await fixture.sql<{ count: number }>(
    `select count(*)::int as count from events.occurrences where state = 'COMPLETED'`,
  );
  expect(totals.delivered + totals.late).toBe(completed?.count);

  // It would have found each of them, had there been no row.
  const rows = await fixture.sql<{ key: string; day: string }>(
    `select o.key, o.local_date::text as day
     from events.occurrences as o join users.users as u on u.id = o.user_id
     where o.state in ('COMPLETED', 'FAILED', 'SKIPPED') and u.inputs_changed_at < o.due_at`,
  );
  await fixture.sql('truncate events.occurrences cascade');
  expect(rows.length).toBeGreaterThan(USERS / 4);
  for (const [day, missing] of Map.groupBy(rows, (row) => row.day)) {
    const { unaccounted } = await fixture.audit(day, END + 3 * DAY);
    expect(unaccounted.first).toEqual(expect.arrayContaining(missing.map(({ key }) => key)));
  }
});

/** The birthdays and the days around them, and every day in the ledger. */
async function daysOfInterest(): Promise<Set<string>> {
  const days = [2011, 2012, 2013].flatMap((year) =>
    DAYS.map((day) => Date.parse(`${year}-${day}`)),
  );
  const around = days.flatMap((day) => [day - DAY, day, day + DAY]);
  const planned = await fixture.sql<{ day: string }>(
    'select distinct local_date::text as day from events.occurrences',
  );
  return new Set([
    ...around.map((day) => new Date(day).toISOString().slice(0, 10)),
    ...planned.map(({ day }) => day),
  ]);
}

/** One user, from creation to the end or deletion. */
async function live(random: Random): Promise<void> {
  const inputs = () => ({ dateOfBirth: `1992-${random.pick(DAYS)}`, timezone: random.pick(ZONES) });
  let now = START + random.below(200 * DAY);
  const outage = random.pick(OUTAGES);
  let downSince = random.below(3) > 0 ? null : now;
  const userId = await fixture.add(inputs(), now, downSince === null);

  const comeUp = async (): Promise<void> => {
    downSince = null;
    await fixture.plan(userId, now);
  };
  const sendUntil = async (end: number): Promise<void> => {
    for (;;) {
      const open = await fixture.openOf(userId);
      const sentAt = Math.max(open?.dueAt ?? Infinity, now);
      if (open === null || sentAt > end) return;
      now = sentAt;
      // Will be settled by the next attempt, if nothing changes meanwhile.
      if (random.below(6) === 0) return fixture.attempt(open.key, now);
      await fixture.settle(open.key, random.below(8) > 0 ? 'COMPLETED' : 'FAILED', now);
      await fixture.plan(userId, now);
    }
  };
  /** Whatever is due by then is sent, late if the installation was down at its time. */
  const goTo = async (end: number): Promise<void> => {
    for (const { at } of RULES) {
      if (at <= now || at > end) continue;
      await goOn(at);
      if (downSince === null) await fixture.plan(userId, at);
    }
    await goOn(end);
  };
  const goOn = async (end: number): Promise<void> => {
    if (downSince !== null && end > downSince + outage) {
      now = Math.max(now, downSince + outage);
      await comeUp();
    }
    if (downSince === null) await sendUntil(end);
    now = end;
  };

  for (let step = random.below(12); step > 0; step -= 1) {
    const open = await fixture.openOf(userId);
    const next = (open?.dueAt ?? now) + random.pick(AROUND);
    const then = random.below(4) > 0 ? Math.max(now, next) : now + random.below(90 * DAY);
    if (then >= END) break;
    await goTo(then);
    // No two changes share an instant.
    now += 1;
    const deed = random.below(10);
    const isPlanned = downSince === null;
    if (deed < 3) await fixture.change(userId, { timezone: inputs().timezone }, now, isPlanned);
    else if (deed < 5) await fixture.change(userId, inputs(), now, isPlanned);
    else if (deed < 6) {
      await fixture.remove(userId, now, isPlanned);
      if (downSince !== null) now = Math.max(now, downSince + outage);
      return comeUp();
    } else if (isPlanned) downSince = now;
    else await comeUp();
  }
  await goTo(END);
  await comeUp();
  await goTo(END);
}
