import { createResolve, type Resolve } from '../domain/due.ts';
import type { EventType } from '../domain/event-type.ts';
import type { DateSettings } from '../domain/rules.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import type { MonthDay, Window } from './audit.ts';
import { createForecastTally } from './forecast-tally.ts';
import { nominalDaysOf } from './forecast-window.ts';
import type { Forecast, ForecastReader } from './forecast.ts';

export interface ForecastDeps {
  readonly reader: ForecastReader;
  readonly law: ZoneLaw;
  readonly eventTypes: readonly EventType[];
  /** Those in force. */
  readonly dateSettings: DateSettings;
  readonly armWindowMs: number;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Once it is aborted, nothing further is read, and the forecast rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * How many are due in a window of the future, by minute and zone: what the ledger has planned
 * or under way counts as it stands, and for every other year of everybody the occurrence rule,
 * once for all who share a day and a zone. The window is one without `windowFaults`.
 */
export async function forecast(deps: ForecastDeps, window: Window): Promise<Forecast> {
  deps.signal?.throwIfAborted();
  const { law, dateSettings, armWindowMs } = deps;
  const resolve = createResolve({ ...dateSettings, law });
  const tally = createForecastTally();

  await deps.reader.read(async (view) => {
    for (const { minute, timezone, count } of await view.findPlanned(window)) {
      tally.planned(minute, timezone, count);
    }
    const pages = nominalDaysOf(window, dateSettings.leapDayPolicy);
    for (const eventType of deps.eventTypes) {
      for (const { year, monthDays } of pages) {
        deps.signal?.throwIfAborted();
        const groups = await view.countUnplanned({ eventType, year, monthDays });
        for (const { monthDay, timezone, count } of groups) {
          const { occurrence, isZoneKnown } = resolveDay(resolve, monthDay, timezone, year);
          const { fireAt } = occurrence;
          if (fireAt < window.from || fireAt >= window.until) continue;
          if (isZoneKnown) tally.computed(fireAt, timezone, count);
          else tally.blocked(count);
        }
      }
    }
  });
  return tally.forecast({
    from: window.from,
    to: window.until,
    forecastAt: deps.clock(),
    settings: { ...dateSettings, tzVersion: law.version },
    armWindowMs,
  });
}

function resolveDay(resolve: Resolve, monthDay: MonthDay, timezone: string, year: number) {
  const [month, day] = [Math.floor(monthDay / 100), monthDay % 100].map((number) =>
    String(number).padStart(2, '0'),
  );
  // The year of birth does not matter here; this one had a 29 February.
  return resolve({ dateOfBirth: `1600-${month}-${day}`, timezone }, year);
}
