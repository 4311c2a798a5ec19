/** What decides dates besides a user's own inputs, and since when. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { ms, queryIn } from '../ledger/sql.ts';

export interface DateRulesRecord {
  /** Wall-clock time of a delivery, `HH:MM`. */
  readonly localTime: string;
  readonly leapDayPolicy: 'feb28' | 'mar1';
  /** Of the tz database, such as `2026f`. */
  readonly tzVersion: string;
}

/** Rules that were recorded, in force from an instant on (epoch ms); the first ones have always been. */
export interface RecordedRules extends DateRulesRecord {
  readonly id: number;
  readonly from: number;
}

/**
 * Records rules as those in force from now on, unless they are. Gives whether they are new. Only
 * `migrate` does so: all processes plan by what it recorded, whatever their own settings say.
 */
export async function recordRules(
  em: Pick<SqlEntityManager, 'execute'>,
  rules: DateRulesRecord,
): Promise<boolean> {
  return (await queryIn(em)(RECORD, { ...rules })).length > 0;
}

/**
 * All rules that were ever in force, the oldest first.
 *
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function readRules(em: Pick<SqlEntityManager, 'execute'>): Promise<RulesHistory> {
  const [first, ...others] = await queryIn(em)<RecordedRules>(READ);
  if (first === undefined) throw new NoRulesError();
  return [{ ...first, from: -Infinity }, ...others];
}

export type RulesHistory = readonly [RecordedRules, ...RecordedRules[]];

/** The rules in force. */
export function presentRules(history: RulesHistory): RecordedRules {
  return history.at(-1) ?? history[0];
}

/** Thrown when the database does not know by which rules to plan. */
export class NoRulesError extends Error {
  override readonly name = 'NoRulesError';

  constructor() {
    super('No rules of dates are recorded. Run "npm run migrate" first.');
  }
}

const RECORD = `
  insert into events.rules (local_time, leap_day_policy, tz_version)
  select :localTime::text, :leapDayPolicy::text, :tzVersion::text
  where not exists (
    select from (select * from events.rules order by id desc limit 1) as latest
    where latest.local_time = :localTime::text and latest.leap_day_policy = :leapDayPolicy::text
      and latest.tz_version = :tzVersion::text)
  returning id`;

const READ = `
  select id::float8 as id, local_time as "localTime", leap_day_policy as "leapDayPolicy",
    tz_version as "tzVersion", ${ms('valid_from', 'from')}
  from events.rules order by id`;
