import { formatCalendarDate } from '../time/calendar-date.ts';
import { REACH_MS, resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { readSnapshot } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { nominalDateAfter, nominalDateFrom } from '../time/recurrence.ts';
import { createForecastView, type SeriesGroup } from './read-forecast.ts';
import type { Forecast } from './schema.ts';
import { createTally } from './tally.ts';
import { type Window, yearlyDatesOf } from './window.ts';

export interface ForecastDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  /** Epoch ms. */
  readonly clock: () => number;
  /** When aborted, nothing further is read, and the forecast rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * How many occurrences fall due in a window of the future, by minute and zone. What the ledger
 * has planned counts as it stands; the rest is computed by the recorded rules, once for all
 * occasions that share a date and a zone. `windowFault` says which windows can be forecast.
 *
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function forecast(deps: ForecastDeps, window: Window): Promise<Forecast> {
  const { orm, tz, clock, signal } = deps;
  signal?.throwIfAborted();
  const tally = createTally();

  // What is planned meanwhile is counted once.
  return readSnapshot(orm, async (em) => {
    const view = createForecastView(em);
    const rules = await view.findRules();
    const add = (nominalDate: string, timezone: string, count: number): void => {
      const isKnown = tz.isKnown(timezone);
      const inputs = { ...rules, timezone: isKnown ? timezone : 'UTC', offsetDays: 0 };
      const { dueAt } = resolveNominalDate(nominalDate, inputs, tz);
      if (dueAt < window.from || dueAt >= window.until) return;
      if (isKnown) tally.add(dueAt, timezone, count);
      else tally.blocked += count;
    };

    for (const { minute, timezone, count } of await view.findPlanned(window)) {
      tally.planned += count;
      tally.add(minute, timezone, count);
    }
    for (const nominalDate of yearlyDatesOf(window, rules.leapDayPolicy)) {
      signal?.throwIfAborted();
      for (const { timezone, count } of await view.countYearly(nominalDate)) {
        add(nominalDate, timezone, count);
      }
    }
    signal?.throwIfAborted();
    for (const series of await view.countSeries()) {
      for (const nominalDate of nominalDatesOf(series, window)) {
        add(nominalDate, series.timezone, series.count);
      }
    }
    const { localTime, leapDayPolicy } = rules;
    return {
      from: new Date(window.from).toISOString(),
      to: new Date(window.until).toISOString(),
      forecastAt: new Date(clock()).toISOString(),
      settings: { localTime, leapDayPolicy, tzVersion: tz.version },
      planned: tally.planned,
      blocked: tally.blocked,
      ...tally.total(window.until - window.from),
    };
  });
}

/** What the ledger does not have, and may be due in the window. */
function* nominalDatesOf(series: SeriesGroup, window: Window): Generator<string> {
  const first = formatCalendarDate(window.from - REACH_MS);
  const last = formatCalendarDate(window.until + REACH_MS);
  let date = nominalDateFrom(series, first);
  for (; date !== null && date <= last; date = nominalDateAfter(series, date)) {
    if (date > (series.plannedTo ?? '')) yield date;
  }
}
