import { anniversaryIn, dateToMs, formatCalendarDate, parseCalendarDate } from './calendar-date.ts';
import { type Occurrence, type OccurrenceFacts, occurrenceInYear } from './occurrence.ts';
import type { DateRules } from './rules.ts';

/** What was true of a user from an instant until another (epoch ms, half open); null: it still is. */
export interface HeldFacts extends OccurrenceFacts {
  readonly from: number;
  readonly until: number | null;
}

/** An occurrence that came due while these facts held. */
export interface Due extends Occurrence {
  readonly facts: HeldFacts;
  /** False: its instant is that of UTC, as near as can be told. */
  readonly isZoneKnown: boolean;
}

/** One nominal year of a date of birth in a zone. */
export interface Resolved {
  readonly occurrence: Occurrence;
  /** The day before any move for clocks that jump, `YYYY-MM-DD`. */
  readonly nominalDate: string;
  readonly isZoneKnown: boolean;
}

export type Resolve = (facts: OccurrenceFacts, year: number) => Resolved;

/** Resolves once for all who share a day and a zone. Throws a RangeError for a date that is no day. */
export function createResolve(rules: DateRules): Resolve {
  const known = new Map<string, Resolved>();
  return (facts, year) => {
    const group = `${facts.timezone} ${year}${facts.dateOfBirth.slice(4)}`;
    let resolved = known.get(group);
    if (resolved === undefined) {
      resolved = resolve(facts, year, rules);
      known.set(group, resolved);
    }
    return resolved;
  };
}

function resolve({ dateOfBirth, timezone }: OccurrenceFacts, year: number, rules: DateRules) {
  const isZoneKnown = rules.law.isKnown(timezone);
  const zone = isZoneKnown ? timezone : 'UTC';
  const occurrence = occurrenceInYear({ dateOfBirth, timezone: zone }, year, rules);
  const born = parseCalendarDate(dateOfBirth);
  if (born === null) throw new RangeError('The date of birth is not a day of the calendar.');
  const nominal = anniversaryIn(year, born, rules.leapDayPolicy);
  return { occurrence, nominalDate: formatCalendarDate(dateToMs(nominal)), isZoneKnown };
}

/**
 * When the birthday of one nominal year came due, from a user's history alone, the oldest
 * first: once for each state of the history in which it did. Somebody who moves on the day
 * may have several, and is greeted for the first that is sent.
 *
 * It comes due when its instant falls into the time that the facts held, and after their
 * beginning: that is how somebody created at 9:00 waits for next year. It is owed from the
 * beginning of the facts if a move of zone has put behind what was still to come; a change of
 * the day owes nothing. Section 3 of the design; `decidePlan` is the same rule for one plan.
 */
export function duesInYear(
  history: readonly HeldFacts[],
  year: number,
  resolveFacts: Resolve,
): Due[] {
  const dues: Due[] = [];
  let toCome: Resolved | null = null;
  for (const facts of history) {
    // The day of birth is no birthday.
    if (Number(facts.dateOfBirth.slice(0, 4)) >= year) {
      toCome = null;
      continue;
    }
    const resolved: Resolved = resolveFacts(facts, year);
    const { occurrence, isZoneKnown } = resolved;
    const { fireAt } = occurrence;
    const isOwed =
      fireAt <= facts.from && toCome !== null && toCome.nominalDate === resolved.nominalDate;
    const isToCome = facts.until !== null && fireAt >= facts.until;
    if (isOwed || (fireAt > facts.from && !isToCome)) {
      dues.push({ ...occurrence, facts, isZoneKnown });
    }
    // What could not be planned is planned anew, as if it had never been.
    toCome = isToCome && isZoneKnown ? resolved : null;
  }
  return dues;
}
