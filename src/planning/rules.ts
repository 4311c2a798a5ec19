/** The rules that decide dates besides a user's own inputs, and since when. */
import { type Em, ms, queryIn } from '../ledger/sql.ts';
import type { DateSettings } from '../time/occurrence.ts';
import type { Recurrence } from '../time/recurrence.ts';
import type { InputsVersion } from './fell-due.ts';

export interface DateRulesRecord extends DateSettings {
  /** The version of the tz database, such as `2026f`. */
  readonly tzVersion: string;
}

/**
 * Recorded rules, in force from an instant on (epoch ms); the first ones have always been in force.
 */
export interface RecordedRules extends DateRulesRecord {
  readonly from: number;
}

export type RulesHistory = readonly [RecordedRules, ...RecordedRules[]];

/** Thrown if the database has no rules to plan by. */
export class NoRulesError extends Error {
  override readonly name = 'NoRulesError';

  constructor() {
    super('No rules of dates are recorded. Run "npm run migrate" first.');
  }
}

/**
 * Serializes all who record rules, of the installation or of an occasion type, until they have
 * committed. So no rule becomes visible after one with a greater number, and a plan that knows the
 * greatest number knows all rules.
 */
export async function lockRules(em: Em): Promise<void> {
  await queryIn(em)(`select pg_advisory_xact_lock(hashtext('rules of dates'))`);
}

/**
 * Records rules as those in force from now on, unless they already are; in a transaction. Returns
 * whether they are new. Only `migrate` does so: all processes plan by what it recorded, whatever
 * their own settings say.
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

/** The inputs of an occasion from an instant until the next period's. */
export interface Period {
  readonly from: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly recurrence: string;
  /** An RFC 5545 rule, if the recurrence is one. */
  readonly rrule: string | null;
  /** Due so many days before the nominal date. */
  readonly offsetDays: number;
  readonly timezone: string;
  /** The occasion's or its user's; null: the rules decide. */
  readonly localTime: string | null;
  readonly suspended: boolean;
}

/**
 * Merges the inputs of an occasion with the rules of its type: a version for each instant at which
 * either changed, from the first period on. Both are given with the oldest first.
 */
export function mergeVersions(periods: readonly Period[], rules: RulesHistory): InputsVersion[] {
  const [first] = periods;
  if (first === undefined) return [];
  // A new tz database alone is no change of inputs: all versions are resolved by the one in use.
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
