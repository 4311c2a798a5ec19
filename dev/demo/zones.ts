import { DateTime } from 'luxon';

/** A minute at which clocks in these zones read the delivery time. */
export interface DueMinute {
  /** Epoch ms, a full minute. */
  readonly at: number;
  readonly zones: readonly string[];
}

const MINUTE_MS = 60_000;
const ZONES = Intl.supportedValuesOf('timeZone');

/**
 * The first full minute from `fromMs` to `untilMs` (epoch ms) at which some zone's clock
 * reads `localTime` (HH:MM); null when there is none.
 */
export function findDueMinute(
  localTime: string,
  fromMs: number,
  untilMs: number,
): DueMinute | null {
  const first = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS;
  for (let at = first; at <= untilMs; at += MINUTE_MS) {
    const zones = ZONES.filter((zone) => clockIn(zone, at) === localTime);
    if (zones.length > 0) return { at, zones };
  }
  return null;
}

function clockIn(zone: string, atMs: number): string {
  return DateTime.fromMillis(atMs, { zone }).toFormat('HH:mm');
}
