import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { dueDatesAfter, type LocalTimeInputs, resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { readSnapshot } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { presentRules, readRules } from '../planning/rules.ts';
import { readTypeSettings, rulesOfType } from '../planning/type-settings.ts';
import { createForecastView, type OccasionGroup, type PlaceholderCounts } from './read-forecast.ts';
import type { Forecast } from './schema.ts';
import { createTally } from './tally.ts';
import { nominalDatesOf, type Window } from './window.ts';

export interface ForecastDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  /** Epoch ms. */
  readonly clock: () => number;
  /** When aborted, nothing further is read, and the forecast rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Counts the occurrences that fall due in a window of the future, by minute, zone and type. What
 * the ledger has planned counts as it is; the rest is computed by the recorded rules, once for all
 * occasions that share their inputs. `windowFault` says which windows can be forecast.
 *
 * @param type only this occasion type; null for all
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function forecast(
  deps: ForecastDeps,
  window: Window,
  type: string | null = null,
): Promise<Forecast> {
  const { orm, tz, clock, signal } = deps;
  signal?.throwIfAborted();
  const tally = createTally();

  // What is planned meanwhile is counted once.
  return readSnapshot(orm, async (em) => {
    const view = createForecastView(em, type);
    const { rules, inputsOf } = await readInputs(em, tz);
    const isInWindow = (dueAt: number): boolean => dueAt >= window.from && dueAt < window.until;
    const add = (group: OccasionGroup & Partial<PlaceholderCounts>, dueAt: number): void => {
      if (group.isSuspended) tally.addSuspended(group.type, group.count);
      else if (!tz.isKnown(group.timezone)) tally.addBlocked(group.type, group.count);
      else tally.addDue(dueAt, group, false);
    };

    for (const group of await view.findPlanned(window)) {
      if (group.isSuspended) tally.addSuspended(group.type, group.count);
      else tally.addDue(group.minute, group, true);
    }
    const groups = await view.findGroups();
    const offsets = groups.map(({ offsetDays }) => offsetDays);
    const spread = { least: 0, most: Math.max(0, ...offsets) };
    for (const nominalDate of nominalDatesOf(window, spread)) {
      signal?.throwIfAborted();
      for (const group of await view.countYearly(nominalDate, groups)) {
        const { dueAt } = resolveNominalDate(nominalDate, inputsOf(group), tz);
        if (isInWindow(dueAt)) add(group, dueAt);
      }
    }
    for (const group of await view.countSeries(window, groups)) {
      signal?.throwIfAborted();
      const series = { ...group, ...inputsOf(group) };
      for (const dueAt of dueInstants(series, group.plannedTo, window, tz)) add(group, dueAt);
    }
    const { localTime, leapDayPolicy } = rules;
    return {
      from: new Date(window.from).toISOString(),
      to: new Date(window.until).toISOString(),
      forecastAt: new Date(clock()).toISOString(),
      settings: { localTime, leapDayPolicy, tzVersion: tz.version },
      ...tally.total(window.until - window.from),
    };
  });
}

/** An occasion's own date inputs; null: as the type or the installation says. */
export type OwnDateInputs = Pick<OccasionGroup, 'type' | 'timezone' | 'localTime' | 'offsetDays'>;

/**
 * Reads the rules in force and derives inputs from them. In an unknown zone, it is due as in UTC.
 */
export async function readInputs(em: SqlEntityManager, tz: TzDatabase) {
  const history = await readRules(em);
  const types = await readTypeSettings(em);
  return {
    rules: presentRules(history),
    inputsOf({ type, timezone, localTime, offsetDays }: OwnDateInputs): LocalTimeInputs {
      const ofType = presentRules(rulesOfType(history, types.of(type)));
      return {
        localTime: localTime ?? ofType.localTime,
        leapDayPolicy: ofType.leapDayPolicy,
        timezone: tz.isKnown(timezone) ? timezone : 'UTC',
        offsetDays,
      };
    },
  };
}

/** The due instants that the ledger does not have. */
function* dueInstants(
  series: Parameters<typeof dueDatesAfter>[0],
  plannedTo: string | null,
  { from, until }: Window,
  tz: TzDatabase,
): Generator<number> {
  // The window includes its first instant; `after` is exclusive.
  for (const { nominalDate, dueAt } of dueDatesAfter(series, from - 1, tz, plannedTo ?? '')) {
    if (dueAt >= until) return;
    if (nominalDate > (plannedTo ?? '')) yield dueAt;
  }
}
