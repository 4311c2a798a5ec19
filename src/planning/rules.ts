/** The rules that decide dates besides a user's own inputs, and since when. */
import { type Em, ms, queryIn } from '../ledger/sql.ts';
import type { DateSettings } from '../time/occurrence.ts';
import type { Recurrence } from '../time/recurrence.ts';
import type { InputsVersion } from './fell-due.ts';

export interface DateRulesRecord extends DateSettings {
  /** Of the tz database, such as `2026f`. */
  readonly tzVersion: string;
}

/** Rules that were recorded, in force from an instant on (epoch ms); the first ones have always been. */
export interface RecordedRules extends DateRulesRecord {
  readonly from: number;
}

export type RulesHistory = readonly [RecordedRules, ...RecordedRules[]];

/** Thrown if the database does not know by which rules to plan. */
export class NoRulesError extends Error {
  override readonly name = 'NoRulesError';

  constructor() {
    super('No rules of dates are recorded. Run "npm run migrate" first.');
  }
}

/**
 * Has all who record rules, of the installation or of an occasion type, take turns until they have
 * committed. So a rule never comes to be seen after one with a greater number, and a plan that knows
 * the greatest number knows all rules.
 */
export async function lockRules(em: Em): Promise<void> {
  await queryIn(em)(`select pg_advisory_xact_lock(hashtext('rules of dates'))`);
}

/**
 * Records rules as those in force from now on, unless they are; in a transaction. Returns whether
 * they are new. Only `migrate` does so: all processes plan by what it recorded, whatever their own
 * settings say.
 */
export async function recordRules(em: Em, rules: DateRulesRecord): Promise<boolean> {
  await lockRules(em);
  const recorded = await queryIn(em)(
    `insert into events.rules (local_time, leap_day_policy, tz_version)
     select :localTime::text, :leapDayPolicy::text, :tzVersion::text
     where not exists (
       select from (select * from events.rules order by id desc limit 1) as latest
       where latest.local_time = :localTime::text and latest.leap_day_policy = :leapDayPolicy::text
         and latest.tz_version = :tzVersion::text)
     returning id`,
    { ...rules },
  );
  return recorded.length > 0;
}

/**
 * All rules that were ever in force, the oldest first.
 *
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function readRules(em: Em): Promise<RulesHistory> {
  const [first, ...others] = await queryIn(em)<RecordedRules>(
    `select local_time as "localTime", leap_day_policy as "leapDayPolicy",
       tz_version as "tzVersion", ${ms('valid_from', 'from')}
     from events.rules order by id`,
  );
  if (first === undefined) throw new NoRulesError();
  return [{ ...first, from: -Infinity }, ...others];
}

/** The rules in force. */
export function presentRules(history: RulesHistory): RecordedRules {
  return history.at(-1) ?? history[0];
}

/** What was true of an occasion, from an instant until the next period's. */
export interface Period {
  readonly from: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly recurrence: string;
  /** RFC 5545, when the recurrence is one. */
  readonly rrule: string | null;
  /** Due so many days before the nominal date. */
  readonly offsetDays: number;
  readonly timezone: string;
  /** The occasion's or its user's; null: as the rules say. */
  readonly localTime: string | null;
  readonly suspended: boolean;
}

/**
 * Merges what was true of an occasion with the rules of its type: a version for each instant at
 * which either changed, from the first period on. Both come with the oldest first.
 */
export function mergeVersions(periods: readonly Period[], rules: RulesHistory): InputsVersion[] {
  const [first] = periods;
  if (first === undefined) return [];
  // Another tz database alone is no change of inputs: all versions are resolved by the one in use.
  const changes = rules.filter(({ from, localTime, leapDayPolicy }, index) => {
    const before = rules[index - 1];
    const isSame = before?.localTime === localTime && before.leapDayPolicy === leapDayPolicy;
    return from > first.from && !isSame;
  });
  const instants = new Set([...periods, ...changes].map(({ from }) => from));
  return [...instants]
    .toSorted((one, other) => one - other)
    .map((from) => {
      const period = periods.findLast((period) => period.from <= from) ?? first;
      const { localTime, leapDayPolicy } = rules.findLast((rule) => rule.from <= from) ?? rules[0];
      const { date, rrule, offsetDays, timezone, suspended } = period;
      return {
        from,
        date,
        recurrence: period.recurrence as Recurrence,
        rrule,
        offsetDays,
        timezone,
        localTime: period.localTime ?? localTime,
        leapDayPolicy,
        suspended,
      };
    });
}
