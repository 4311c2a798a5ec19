import { DAY_MS } from '../time/calendar-date.ts';
import type { Forecast } from './schema.ts';
import { HOUR_MS, startOf } from './tally.ts';

/** In a longer window, a bar is a day. */
const MOST_HOURS = 72;
const BAR = 40;
/** How many zones of a peak fit on a line. */
const ZONES_NAMED = 4;

/** A forecast as text: a bar for each hour (or day), then the fullest minutes. All in UTC. */
export function forecastChart(forecast: Forecast): string {
  const { from, to, settings, due, planned, blocked, suspended, types, peaks } = forecast;
  return [
    `${short(from)} to ${short(to)}: ${number(due)} due, ${number(planned)} of them planned`,
    `by ${settings.localTime}, ${settings.leapDayPolicy}, tz ${settings.tzVersion}`,
    ...(blocked > 0
      ? [`${number(blocked)} more cannot be planned: their time zone is unknown here`]
      : []),
    ...(suspended > 0 ? [`${number(suspended)} more are suspended: nothing is sent to them`] : []),
    '',
    ...bars(forecast),
    '',
    ...(types.length > 1 ? ['By type:', ...types.map(typeLine), ''] : []),
    ...(peaks.length > 0 ? ['The fullest minutes:', ...peaks.map(peakLine)] : []),
    '',
  ].join('\n');
}

function bars({ from, to, hours }: Forecast): string[] {
  const span = Date.parse(to) - Date.parse(from);
  const lengthMs = span > MOST_HOURS * HOUR_MS ? DAY_MS : HOUR_MS;
  const counts = new Map<number, number>();
  for (const { at, due } of hours) {
    const start = startOf(Date.parse(at), lengthMs);
    counts.set(start, (counts.get(start) ?? 0) + due);
  }
  const most = Math.max(1, ...counts.values());
  const width = number(most).length;
  const lines: string[] = [];
  for (let at = startOf(Date.parse(from), lengthMs); at < Date.parse(to); at += lengthMs) {
    const count = counts.get(at) ?? 0;
    const instant = new Date(at).toISOString();
    const label = lengthMs === DAY_MS ? instant.slice(0, 10) : short(instant);
    // Rounded up, so that one in a million shows.
    const bar = '█'.repeat(Math.ceil((count / most) * BAR));
    lines.push(`${label}  ${number(count).padStart(width)}  ${bar}`.trimEnd());
  }
  return lines;
}

function typeLine({ type, due }: Forecast['types'][number]): string {
  return `  ${type.padEnd(17)}  ${number(due).padStart(9)}`;
}

function peakLine({ at, due, zones }: Forecast['peaks'][number]): string {
  const named = zones
    .slice(0, ZONES_NAMED)
    .map(({ timezone, due: count }) => `${timezone} ${number(count)}`);
  const more = zones.length - named.length;
  const others = more > 0 ? [`${more} more zone${more === 1 ? '' : 's'}`] : [];
  return `  ${short(at)}  ${number(due).padStart(9)}  ${[...named, ...others].join(', ')}`;
}

function short(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 16)}Z`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
