import { DAY_MS } from './calendar-date.ts';

/**
 * How a local time resolves:
 *
 * - `unique`: clocks show it once;
 * - `repeated`: they show it twice, and the earlier instant counts;
 * - `missing_time`: they jump over it, and it moves forward by the jump;
 * - `missing_day`: they skip its whole day, and it moves to the next day that exists.
 */
export type WallClockCase = 'unique' | 'repeated' | 'missing_time' | 'missing_day';

export interface WallClockResolution {
  readonly instantMs: number;
  /** The local time that clocks show at that instant, as if it were UTC. */
  readonly wallMs: number;
  readonly kind: WallClockCase;
  /** How far clocks jump, forward or (if repeated) back; 0 when the time is unique. */
  readonly jumpMs: number;
}

/**
 * The instant at which clocks show `wallMs` (a local date and time, as if it were UTC). `offsetAt`
 * returns how far they are ahead of UTC at an instant.
 *
 * Offsets are read a day before, at, and a day after: no zone of the tz database changed twice
 * within two days. The order of preference is that of RFC 5545, 3.3.5.
 */
export function resolveWallClock(
  wallMs: number,
  offsetAt: (instantMs: number) => number,
): WallClockResolution {
  const before = offsetAt(wallMs - DAY_MS);
  const after = offsetAt(wallMs + DAY_MS);
  const offsets = new Set([before, offsetAt(wallMs - before), after]);
  if (offsets.size === 1) return { instantMs: wallMs - before, wallMs, kind: 'unique', jumpMs: 0 };

  const instants = [...offsets]
    .map((offset) => wallMs - offset)
    .filter((instantMs) => instantMs + offsetAt(instantMs) === wallMs);
  if (instants.length > 0) {
    const instantMs = Math.min(...instants);
    const jumpMs = Math.max(...instants) - instantMs;
    return { instantMs, wallMs, kind: jumpMs === 0 ? 'unique' : 'repeated', jumpMs };
  }
  if (isDayMissing(wallMs, before, after, offsetAt)) {
    return {
      ...resolveWallClock(wallMs + DAY_MS, offsetAt),
      kind: 'missing_day',
      jumpMs: after - before,
    };
  }
  // By the clock as it was before the jump: later on the wall by the length of the jump.
  const instantMs = wallMs - before;
  return { instantMs, wallMs: instantMs + after, kind: 'missing_time', jumpMs: after - before };
}

/** Whether the jump that skips `wallMs` skips its day from the first to the last ms. */
function isDayMissing(
  wallMs: number,
  before: number,
  after: number,
  offsetAt: (instantMs: number) => number,
): boolean {
  const firstMs = Math.floor(wallMs / DAY_MS) * DAY_MS;
  const lastMs = firstMs + DAY_MS - 1;
  return offsetAt(firstMs - before) === after && offsetAt(lastMs - after) === before;
}
