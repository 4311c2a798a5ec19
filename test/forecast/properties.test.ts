// @module-tag long
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { resolveNominalDate } from '../../src/time/occurrence.ts';
import type { DateSettings } from '../../src/time/occurrence.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import type { DueMinute, Forecast } from '../../src/forecast/schema.ts';
import { zoneNames } from '../time/occurrence-properties.ts';
import { DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = useAuditFixture();
/** A common year, with a leap year within 400 days; and the day before clocks change in Europe. */
const NOWS = [Date.UTC(2027, 1, 27, 20), Date.UTC(2026, 2, 28, 5)];

/** What happens to a user before now, not all of which is planned. */
interface Life {
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly daysAgo: number;
  readonly isPlanned: boolean;
  readonly becomes: 'nothing' | 'moved' | 'settled' | 'settled and planned';
  readonly movesTo: string;
}

/** Many are due soon, and many on the days where years, months and leap-day rules meet. */
const anyDateOfBirth = fc.oneof(
  fc.constantFrom('1992-02-29', '1990-02-28', '1991-03-01', '1990-12-31', '1990-01-01'),
  fc
    .date({ min: new Date('1990-02-25Z'), max: new Date('1990-03-31Z'), noInvalidDate: true })
    .map(dayOf),
  fc
    .date({ min: new Date('1900-01-01Z'), max: new Date('2025-12-20Z'), noInvalidDate: true })
    .map(dayOf),
);
const anyZone = fc.oneof(
  fc.constantFrom('Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Berlin', 'Asia/Kathmandu'),
  fc.constantFrom(...zoneNames.filter((name) => bundledTz.isKnown(name))),
);
const anyLife: fc.Arbitrary<Life> = fc.record({
  dateOfBirth: anyDateOfBirth,
  timezone: anyZone,
  daysAgo: fc.integer({ min: 0, max: 500 }),
  isPlanned: fc.boolean(),
  becomes: fc.constantFrom('nothing', 'moved', 'settled', 'settled and planned'),
  movesTo: anyZone,
});
const anyWindow = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 * DAY })),
  lengthMs: fc.oneof(fc.constant(DAY), fc.integer({ min: MINUTE, max: 400 * DAY })),
  // Includes others than those the ledger was planned by.
  leapDayPolicy: fc.constantFrom('feb28' as const, 'mar1' as const),
  localTime: fc.constantFrom('09:00', '00:15', '02:30', '23:59'),
});

test('agrees with the rule applied to each: after any lives, in any window, under any rules', async () => {
  let counted = 0;
  const property = fc.asyncProperty(
    fc.constantFrom(...NOWS),
    fc.array(anyLife, { minLength: 40, maxLength: 40 }),
    fc.array(anyWindow, { minLength: 15, maxLength: 15 }),
    async (now, lives, windows) => {
      await fixture.sql(`truncate users.users, users.history, users.outbox, events.occasions,
        events.occurrences cascade`);
      await setRules(NINE);
      for (const life of lives) await live(life, now);
      for (const { afterMs, lengthMs, ...dateSettings } of windows) {
        const window = { from: now + afterMs, until: now + afterMs + lengthMs };
        await setRules(dateSettings);
        const expected = await oneByOne(window, dateSettings);
        const found = await forecast({ orm: fixture.orm, tz: bundledTz, clock: () => now }, window);
        compare(found, expected);
        counted += found.due;
      }
    },
  );
  await fc.assert(property, { numRuns: 4, endOnFailure: true });
  // Otherwise it would have compared nothing with nothing.
  expect(counted).toBeGreaterThan(200);
});

const NINE: DateSettings = { localTime: '09:00', leapDayPolicy: 'feb28' };

async function setRules(rules: DateSettings): Promise<void> {
  await fixture.sql('truncate events.rules');
  await fixture.sql(
    `insert into events.rules (local_time, leap_day_policy, tz_version)
     values (:localTime, :leapDayPolicy, :tzVersion)`,
    { ...rules, tzVersion: bundledTz.version },
  );
}

async function live(life: Life, now: number): Promise<void> {
  const at = Math.max(now - life.daysAgo * DAY - HOUR, Date.parse('2025-12-31Z'));
  const { dateOfBirth, timezone } = life;
  const id = await fixture.add({ dateOfBirth, timezone }, at, life.isPlanned);
  const open = await fixture.openOf(id);
  if (life.becomes === 'moved') await fixture.change(id, { timezone: life.movesTo }, now, false);
  // Also what is settled before its day, as a redelivery may be.
  if (!life.becomes.startsWith('settled') || open === null) return;
  await fixture.settle(open.key, 'COMPLETED', now);
  if (life.becomes === 'settled and planned') await fixture.plan(id, now);
}

interface UserRow {
  readonly id: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
}

interface LedgerRow {
  readonly userId: string;
  readonly nominalDate: string;
  readonly state: string;
  readonly timezone: string;
  readonly dueAt: number;
}

/** How many, by `<minute> <zone>`. */
type Counts = Readonly<Record<string, number>>;

/** One user after the other. */
async function oneByOne(
  { from, until }: { from: number; until: number },
  settings: DateSettings,
): Promise<Counts> {
  const counts: Record<string, number> = {};
  const count = (at: number, timezone: string): void => {
    const name = placeOf(at, timezone);
    if (at >= from && at < until) counts[name] = (counts[name] ?? 0) + 1;
  };
  const users = await fixture.sql<UserRow>(
    'select id, date_of_birth::text as "dateOfBirth", timezone from users.users',
  );
  const rows = await fixture.sql<LedgerRow>(
    `select user_id as "userId", nominal_date as "nominalDate", state, timezone,
       (extract(epoch from due_at) * 1000)::float8 as "dueAt" from events.occurrences`,
  );
  for (const user of users) {
    const own = rows.filter(({ userId }) => userId === user.id);
    for (const { state, timezone, dueAt } of own) {
      if (state === 'PENDING' || state === 'PROCESSING') count(dueAt, timezone);
    }
    const inputs = { ...settings, timezone: user.timezone, offsetDays: 0 };
    const firstYear = new Date(from).getUTCFullYear();
    const lastYear = new Date(until).getUTCFullYear();
    const born = Number(user.dateOfBirth.slice(0, 4));
    for (let year = Math.max(firstYear - 1, born + 1); year <= lastYear + 1; year += 1) {
      if (own.some(({ nominalDate }) => nominalDate.startsWith(`${year}-`))) continue;
      const nominalDate = `${year}${user.dateOfBirth.slice(4)}`;
      count(resolveNominalDate(nominalDate, inputs, bundledTz).dueAt, user.timezone);
    }
  }
  return counts;
}

function compare({ from, to, due, peaks, hours, minutes }: Forecast, expected: Counts): void {
  // For a long window there is no list of minutes.
  if (Date.parse(to) - Date.parse(from) <= 31 * DAY)
    expect(countsOf(minutes ?? [])).toEqual(expected);
  else expect(minutes).toBeNull();
  const byHour = summedBy(expected, 'yyyy-mm-ddThh'.length);
  expect(Object.fromEntries(hours.map((hour) => [hour.at.slice(0, 13), hour.due]))).toEqual(byHour);
  expect(due).toBe(Object.values(expected).reduce((sum, count) => sum + count, 0));

  const byMinute = summedBy(expected, 'yyyy-mm-ddThh:mm'.length);
  const fullest = Object.values(byMinute).sort((one, other) => other - one);
  expect(peaks.map((peak) => peak.due)).toEqual(fullest.slice(0, 10));
  expect(expected).toMatchObject(countsOf(peaks));
}

function countsOf(minutes: readonly DueMinute[]): Counts {
  return Object.fromEntries(
    minutes.flatMap(({ at, zones }) =>
      zones.map(({ timezone, due }) => [placeOf(Date.parse(at), timezone), due] as const),
    ),
  );
}

/** Added up over all keys with the same first characters. */
function summedBy(counts: Counts, length: number): Counts {
  const sums: Record<string, number> = {};
  for (const [place, count] of Object.entries(counts)) {
    const name = place.slice(0, length);
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

function placeOf(at: number, timezone: string): string {
  return `${iso(at).slice(0, 16)} ${timezone}`;
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
