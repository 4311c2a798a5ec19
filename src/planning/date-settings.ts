/** The settings that decide dates, in each process and command: those that `migrate` recorded. */
import formatMs from 'ms';

import { type Em, queryIn } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import type { Registry } from '../platform/metrics.ts';
import { reportTzVersion, whenDatabaseIsUsable } from '../platform/process.ts';
import type { ServiceContext } from '../platform/service.ts';
import { isSettingGiven, type Settings } from '../platform/settings/settings.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { presentRules, readRules } from './rules.ts';

/** `LATE_AFTER`, `LATE_LIMIT` and `GIVE_UP_AFTER`. */
export interface DateLimits {
  readonly lateAfterMs: number;
  readonly lateLimitMs: number;
  readonly giveUpAfterMs: number;
}

export interface DateSettingsInForce {
  readonly tz: TzDatabase;
  readonly limits: DateLimits;
}

type LimitSettings = Pick<Settings, 'LATE_AFTER' | 'LATE_LIMIT' | 'GIVE_UP_AFTER'>;

/** Records the limits that apply from now on. Only `migrate` does so. */
export async function recordLimits(em: Em, settings: LimitSettings): Promise<void> {
  await queryIn(em)(
    `update events.installation set late_after_ms = :lateAfterMs::bigint,
       late_limit_ms = :lateLimitMs::bigint, give_up_after_ms = :giveUpAfterMs::bigint`,
    { ...limitsOf(settings) },
  );
}

/**
 * For a process: waits for the database, and reports in the log and the metrics what is in force.
 */
export async function openDateSettings(
  context: ServiceContext,
  { metrics, orm }: { readonly metrics: Registry; readonly orm: Orm },
): Promise<DateSettingsInForce> {
  const { settings, logger } = context;
  // Fails at once if it is not usable.
  const own = loadTzDatabase(settings.ZONE_DATA);
  const inForce = await whenDatabaseIsUsable(context, orm, () =>
    readDateSettings(orm, settings, (difference) => logger.warn(difference), own),
  );
  reportTzVersion(context, metrics, inForce.tz.version);
  return inForce;
}

/**
 * The recorded limits, and the tz database of the recorded version if this machine has it.
 *
 * @param onDifference called with a sentence on each setting of this environment that has no effect
 * @throws NoRulesError before `migrate` has recorded anything; InvalidSettingsError
 */
export async function readDateSettings(
  orm: Orm,
  settings: Settings,
  onDifference: (difference: string) => void,
  ownTz = loadTzDatabase(settings.ZONE_DATA),
): Promise<DateSettingsInForce> {
  const em = orm.em.fork();
  const rules = presentRules(await readRules(em));
  const own = limitsOf(settings);
  const [recorded] = await queryIn(em)<DateLimits>(READ_LIMITS);
  const limits = recorded ?? own;
  const pairs = [
    ['DELIVERY_LOCAL_TIME', settings.DELIVERY_LOCAL_TIME, rules.localTime],
    ['LEAP_DAY_POLICY', settings.LEAP_DAY_POLICY, rules.leapDayPolicy],
    ['LATE_AFTER', formatMs(own.lateAfterMs), formatMs(limits.lateAfterMs)],
    ['LATE_LIMIT', formatMs(own.lateLimitMs), formatMs(limits.lateLimitMs)],
    ['GIVE_UP_AFTER', formatMs(own.giveUpAfterMs), formatMs(limits.giveUpAfterMs)],
  ] as const;
  for (const [name, given, inForce] of pairs) {
    if (given === inForce || !isSettingGiven(name)) continue;
    onDifference(
      `${name}: ${inForce} is in force, as "npm run migrate" recorded it; ${given} here has no effect until it runs with it`,
    );
  }
  return { tz: findTz(ownTz, rules.tzVersion, onDifference), limits };
}

function findTz(
  own: TzDatabase,
  recorded: string,
  onDifference: (difference: string) => void,
): TzDatabase {
  if (own.version === recorded) return own;
  const found = ['node', 'bundled'].map(loadTzDatabase).find(({ version }) => version === recorded);
  onDifference(
    found === undefined
      ? `ZONE_DATA: it has tz database ${own.version}, and "npm run migrate" recorded ${recorded}, which is not here: set ZONE_DATA as it was set there, or run it again`
      : `ZONE_DATA: tz database ${recorded} is in force, as "npm run migrate" recorded it; ${own.version} here has no effect until it runs with it`,
  );
  return found ?? own;
}

function limitsOf({ LATE_AFTER, LATE_LIMIT, GIVE_UP_AFTER }: LimitSettings): DateLimits {
  return { lateAfterMs: LATE_AFTER, lateLimitMs: LATE_LIMIT, giveUpAfterMs: GIVE_UP_AFTER };
}

/** Returns no row until some are recorded. */
const READ_LIMITS = `
  select late_after_ms::float8 as "lateAfterMs", late_limit_ms::float8 as "lateLimitMs",
    give_up_after_ms::float8 as "giveUpAfterMs"
  from events.installation where late_after_ms is not null`;
