import { DAY_MS } from '../time/calendar-date.ts';
import type { OccasionGroup, PlaceholderCounts } from './read-forecast.ts';
import type { DueMinute, Forecast } from './schema.ts';

const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** Enough to distinguish a peak from an ordinary day. */
const PEAKS = 10;
/** A month of minutes with all zones is at most a megabyte; a year is too much for one response. */
export const MINUTES_LISTED_MS = 31 * DAY_MS;

type Counts = Map<string, number>;
interface Minute extends PlaceholderCounts {
  readonly zones: Counts;
  readonly types: Counts;
}
type OfType = { due: number; planned: number; blocked: number; suspended: number };

/** Adds up occurrences by minute, zone and type. */
export function createTally() {
  const byMinute = new Map<number, Minute>();
  const byType = new Map<string, OfType>();
  function addOf(type: string, name: keyof OfType, count: number): void {
    const counts = byType.get(type) ?? { due: 0, planned: 0, blocked: 0, suspended: 0 };
    counts[name] += count;
    byType.set(type, counts);
  }

  return {
    /** @param at epoch ms */
    addDue(
      at: number,
      group: Pick<OccasionGroup, 'type' | 'timezone' | 'count'> & Partial<PlaceholderCounts>,
      isPlanned: boolean,
    ): void {
      const { type, timezone, count, firstOfJanuary = 0, placeholderYears = 0 } = group;
      const minute = startOf(at, MINUTE_MS);
      const { zones, types, ...before } = byMinute.get(minute) ?? nothingDue();
      byMinute.set(minute, {
        zones,
        types,
        firstOfJanuary: before.firstOfJanuary + firstOfJanuary,
        placeholderYears: before.placeholderYears + placeholderYears,
      });
      zones.set(timezone, (zones.get(timezone) ?? 0) + count);
      types.set(type, (types.get(type) ?? 0) + count);
      addOf(type, 'due', count);
      if (isPlanned) addOf(type, 'planned', count);
    },
    addBlocked: (type: string, count: number) => addOf(type, 'blocked', count),
    addSuspended: (type: string, count: number) => addOf(type, 'suspended', count),

    /** Minutes are listed for a short window only. @param lengthMs of the window */
    total(lengthMs: number) {
      const minutes = [...byMinute]
        .toSorted(([one], [other]) => one - other)
        .map(([at, minute]) => toMinute(at, minute));
      const types = [...byType]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([type, counts]) => Object.assign({ type }, counts));
      const sumOf = (name: keyof OfType) => types.reduce((sum, counts) => sum + counts[name], 0);
      return {
        due: sumOf('due'),
        planned: sumOf('planned'),
        blocked: sumOf('blocked'),
        suspended: sumOf('suspended'),
        types,
        peaks: minutes
          .toSorted((one, other) => other.due - one.due)
          .slice(0, PEAKS)
          .map((minute) => Object.assign(placeholdersOf(byMinute, minute), minute)),
        hours: byHour(minutes),
        minutes: lengthMs > MINUTES_LISTED_MS ? null : minutes,
      };
    },
  };
}

function nothingDue(): Minute {
  return { zones: new Map(), types: new Map(), firstOfJanuary: 0, placeholderYears: 0 };
}

function placeholdersOf(
  minutes: ReadonlyMap<number, Minute>,
  { at }: DueMinute,
): PlaceholderCounts {
  const { firstOfJanuary, placeholderYears } = minutes.get(Date.parse(at)) ?? nothingDue();
  return { firstOfJanuary, placeholderYears };
}

function toMinute(at: number, { zones, types }: Minute): DueMinute {
  return {
    at: new Date(at).toISOString(),
    due: [...zones.values()].reduce((sum, due) => sum + due, 0),
    zones: fullestFirst(zones).map(([timezone, due]) => ({ timezone, due })),
    types: fullestFirst(types).map(([type, due]) => ({ type, due })),
  };
}

function fullestFirst(counts: Counts): [name: string, due: number][] {
  return [...counts].toSorted(
    ([one, due], [other, otherDue]) => otherDue - due || (one < other ? -1 : 1),
  );
}

function byHour(minutes: readonly DueMinute[]): Forecast['hours'] {
  const hours = new Map<string, number>();
  for (const { at, due } of minutes) {
    const hour = new Date(startOf(Date.parse(at), HOUR_MS)).toISOString();
    hours.set(hour, (hours.get(hour) ?? 0) + due);
  }
  return [...hours].map(([at, due]) => ({ at, due }));
}

/** The beginning of the hour, minute or day that contains an instant. */
export function startOf(at: number, lengthMs: number): number {
  return Math.floor(at / lengthMs) * lengthMs;
}
