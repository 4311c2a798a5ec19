import { formatCalendarDate } from '../time/calendar-date.ts';
import { type DateSettings, REACH_MS, resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import type { Orm } from '../platform/database/orm.ts';
import { nominalDateAfter, nominalDateFrom } from '../time/recurrence.ts';
import { readForecast, type SeriesGroup } from './read-forecast.ts';
import { createForecastTally } from './tally.ts';
import { type MonthDay, nominalDaysOf, type Window } from './window.ts';

/** How many occurrences fall due when. Instants are epoch ms. */
export interface Forecast {
  readonly from: number;
  /** Not in it. */
  readonly to: number;
  readonly forecastAt: number;
  /** By which instants were computed that the ledger has not planned yet. */
  readonly settings: DateSettings & { readonly tzVersion: string };
  readonly due: number;
  /** Of these, rows of the ledger; the others are computed from the users. */
  readonly planned: number;
  /** Not in `due`: their zone is not known here, so they cannot be planned. Counted by UTC. */
  readonly blocked: number;
  /** The fullest minutes, the fullest first. */
  readonly peaks: readonly DueMinute[];
  /** In the order of time; hours in which nothing falls due are left out. */
  readonly hours: readonly { readonly at: number; readonly due: number }[];
  /** The same by minute and zone; null for a window too long to list. */
  readonly minutes: readonly DueMinute[] | null;
}

export interface DueMinute {
  /** Its beginning. */
  readonly at: number;
  readonly due: number;
  /** The fullest first. */
  readonly zones: readonly { readonly timezone: string; readonly due: number }[];
}

export interface ForecastDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Once it is aborted, nothing further is read, and the forecast rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * How many occurrences fall due in a window of the future, by minute and zone: what the ledger
 * has planned or under way counts as it stands; all others are computed by the rule of time,
 * once for all that share a day and a zone. `windowFaults` says which windows can be forecast.
 *
 * @throws NoRulesError before `migrate` has recorded any
 */
export async function forecast(deps: ForecastDeps, window: Window): Promise<Forecast> {
  const { orm, tz, clock, signal } = deps;
  signal?.throwIfAborted();
  const tally = createForecastTally();

  return readForecast(orm, async (view) => {
    const rules = await view.findRules();
    const dueAt = (nominalDate: string, timezone: string): number => {
      const zone = tz.isKnown(timezone) ? timezone : 'UTC';
      return resolveNominalDate(nominalDate, { ...rules, timezone: zone }, tz).dueAt;
    };
    const add = (at: number, timezone: string, count: number): void => {
      if (at < window.from || at >= window.until) return;
      if (tz.isKnown(timezone)) tally.computed(at, timezone, count);
      else tally.blocked(count);
    };

    for (const { minute, timezone, count } of await view.findPlanned(window)) {
      tally.planned(minute, timezone, count);
    }
    for (const days of nominalDaysOf(window, rules.leapDayPolicy)) {
      signal?.throwIfAborted();
      for (const { monthDay, timezone, count } of await view.countYearly(days)) {
        add(dueAt(nominalDateOf(days.year, monthDay), timezone), timezone, count);
      }
    }
    signal?.throwIfAborted();
    for (const series of await view.countSeries()) {
      for (const nominalDate of nominalDatesOf(series, window)) {
        add(dueAt(nominalDate, series.timezone), series.timezone, series.count);
      }
    }
    const { localTime, leapDayPolicy } = rules;
    return tally.forecast({
      from: window.from,
      to: window.until,
      forecastAt: clock(),
      settings: { localTime, leapDayPolicy, tzVersion: tz.version },
    });
  });
}

function nominalDateOf(year: number, monthDay: MonthDay): string {
  const text = String(monthDay).padStart(4, '0');
  return `${year}-${text.slice(0, 2)}-${text.slice(2)}`;
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
