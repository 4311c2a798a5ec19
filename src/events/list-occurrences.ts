import { explainOccurrence } from '../domain/explain.ts';
import { whyUnplannable } from '../domain/occurrence.ts';
import type { LeapDayPolicy } from '../domain/rules.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import type { LedgerOccurrence, OccurrenceReader } from './occurrence-reader.ts';

/** With what made the instant, in words. */
export type Explained<Occurrence> = Occurrence & {
  /** Such as `+13:45`. Null, with the explanation, when the law of now would give another instant. */
  readonly utcOffset: string | null;
  readonly explanation: string | null;
};

/** A row of the ledger with what made its instant. */
export type ShownOccurrence = Explained<LedgerOccurrence>;

export interface UserOccurrences {
  /** What is planned next, or being delivered; null before the first planning. */
  readonly next: ShownOccurrence | null;
  readonly occurrences: readonly ShownOccurrence[];
}

/** One a year: more than anybody's life. */
const NEWEST = 200;

/** The newest occurrences of a user, newest first, and which of them comes next. */
export async function listOccurrences(
  { occurrences, law }: { occurrences: OccurrenceReader; law: ZoneLaw },
  userId: string,
): Promise<UserOccurrences> {
  const found = await occurrences.findOfUser(userId, NEWEST);
  const shown = found.map((occurrence) => explain(occurrence, law));
  const inState = (state: string) => shown.find((occurrence) => occurrence.state === state);
  return { next: inState('PENDING') ?? inState('PROCESSING') ?? null, occurrences: shown };
}

/** Says how the instant of an occurrence was found, if the law of now still finds it. */
export function explain<Occurrence extends LedgerOccurrence>(
  occurrence: Occurrence,
  law: ZoneLaw,
): Explained<Occurrence> {
  const { anchorDate, timezone, leapDayPolicy, localTime, year, fireAt } = occurrence;
  const facts = { dateOfBirth: anchorDate, timezone };
  if (fireAt !== null && whyUnplannable(facts, law) === null) {
    const rules = { leapDayPolicy: leapDayPolicy as LeapDayPolicy, localTime, law };
    const explained = explainOccurrence(facts, year, rules);
    if (explained.fireAt === fireAt) return { ...occurrence, ...explained };
  }
  return { ...occurrence, utcOffset: null, explanation: null };
}
