import { DAY_MS } from './calendar-date.ts';

/** Where local clocks stand in their own year. `otherOffsetMs` is what they show at its other end. */
export type Season =
  /** No change of clocks that comes and goes. */
  | { readonly kind: 'constant' }
  | { readonly kind: 'daylight_saving'; readonly otherOffsetMs: number }
  | { readonly kind: 'standard'; readonly otherOffsetMs: number }
  /** Back for a few weeks only, as in Morocco during Ramadan. */
  | { readonly kind: 'set_back'; readonly otherOffsetMs: number };

/**
 * The season of an instant, told from offsets alone: daylight saving is an hour that came
 * within the year before and goes within the year after. Intl knows it only by the names
 * of some zones, and the tz database disagrees with itself on Ireland and Morocco.
 */
export function seasonAt(instantMs: number, offsetAt: (instantMs: number) => number): Season {
  const here = offsetAt(instantMs);
  const before = sample(instantMs, -1, offsetAt);
  const after = sample(instantMs, 1, offsetAt);
  const otherOffsetMs = before.find((offset) => offset !== here && after.includes(offset));
  if (otherOffsetMs === undefined) return { kind: 'constant' };

  const year = [...before, ...after];
  const shareOfHere = year.filter((offset) => offset === here).length / year.length;
  if (otherOffsetMs < here) {
    return shareOfHere > 1 - BRIEF
      ? { kind: 'constant' }
      : { kind: 'daylight_saving', otherOffsetMs };
  }
  return { kind: shareOfHere < BRIEF ? 'set_back' : 'standard', otherOffsetMs };
}

const STEP_DAYS = 10;
/** Ramadan is a twelfth of the year; the shortest winter time in use now is a third. */
const BRIEF = 0.15;

/** Offsets over one year from an instant, forward or back. */
function sample(
  instantMs: number,
  direction: 1 | -1,
  offsetAt: (instantMs: number) => number,
): number[] {
  return Array.from({ length: Math.floor(366 / STEP_DAYS) }, (_, index) =>
    offsetAt(instantMs + direction * (index + 1) * STEP_DAYS * DAY_MS),
  );
}
