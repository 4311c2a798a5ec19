import { explainOccurrence } from '../time/explain.ts';
import { whyUnplannable } from '../time/occurrence.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { OccurrenceNotFoundError } from './errors.ts';
import type { OccurrenceFilter } from './occurrence-filter.ts';
import { isOccurrenceKey } from './occurrence-key.ts';
import type {
  LedgerOccurrence,
  OccurrencePlace,
  OccurrenceReader,
  OccurrenceRecord,
  OccurrenceSummary,
} from './occurrence-reader.ts';

/** With what made the instant, in words. */
export type Explained<Occurrence> = Occurrence & {
  /** Such as `+13:45`. Null, with the explanation, when today's tz database gives another instant. */
  readonly utcOffset: string | null;
  readonly explanation: string | null;
};

/** A row of the ledger with what made its instant. */
export type ShownOccurrence = Explained<LedgerOccurrence>;

export interface UserOccurrences {
  /** What is planned next, or being sent; null before the first plan. */
  readonly next: ShownOccurrence | null;
  readonly occurrences: readonly ShownOccurrence[];
}

/** More than a birthday has in the longest life. */
const NEWEST = 200;

/** The newest occurrences of a user, newest first, and which of them comes next. */
export async function listOccurrences(
  { occurrences, tz }: { occurrences: OccurrenceReader; tz: TzDatabase },
  userId: string,
): Promise<UserOccurrences> {
  const found = await occurrences.findOfUser(userId, NEWEST);
  const shown = found.map((occurrence) => explain(occurrence, tz));
  const open = shown
    .filter(({ status }) => status === 'PENDING' || status === 'PROCESSING')
    .toSorted((a, b) => placeOf(a) - placeOf(b));
  // What is sent again on request is not what comes next, unless nothing else does.
  const next = open.find(({ redeliveries }) => redeliveries === 0) ?? open[0] ?? null;
  return { next, occurrences: shown };
}

const placeOf = ({ dueAt }: LedgerOccurrence): number => dueAt ?? Number.MAX_SAFE_INTEGER;

/**
 * One occurrence with its attempts and how its instant was found.
 *
 * @throws OccurrenceNotFoundError also for what cannot be a key
 */
export async function getOccurrence(
  { occurrences, tz }: { occurrences: OccurrenceReader; tz: TzDatabase },
  key: string,
): Promise<Explained<OccurrenceRecord>> {
  const found = isOccurrenceKey(key) ? await occurrences.find(key) : null;
  if (found === null) throw new OccurrenceNotFoundError();
  return explain(found, tz);
}

export interface OccurrenceQuery {
  readonly filter: OccurrenceFilter;
  /** Only what comes after this place. */
  readonly after: OccurrencePlace | null;
  readonly limit: number;
}

export interface OccurrencePage {
  readonly occurrences: readonly OccurrenceSummary[];
  /** The place after which the next page begins; null when there is none. */
  readonly nextAfter: OccurrencePlace | null;
}

/**
 * A page of the ledger, by due instant and key. Each page begins after a place, so a row that is
 * moved meanwhile can be missed or seen twice, and no other can.
 */
export async function findOccurrences(
  { occurrences }: { occurrences: OccurrenceReader },
  { filter, after, limit }: OccurrenceQuery,
): Promise<OccurrencePage> {
  // One more than asked for tells whether there is a next page.
  const found = await occurrences.findPage(filter, after, limit + 1);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  if (last === undefined || found.length === page.length) {
    return { occurrences: page, nextAfter: null };
  }
  return { occurrences: page, nextAfter: { dueAt: last.dueAt, key: last.key } };
}

/** Says how the instant of an occurrence was found, if today's tz database still finds it. */
export function explain<Occurrence extends LedgerOccurrence>(
  occurrence: Occurrence,
  tz: TzDatabase,
): Explained<Occurrence> {
  const { date, timezone, leapDayPolicy, localTime, nominalDate, dueAt } = occurrence;
  if (dueAt !== null && whyUnplannable({ date, timezone }, tz) === null) {
    const inputs = { timezone, localTime, leapDayPolicy: leapDayPolicy as LeapDayPolicy };
    const explained = explainOccurrence(nominalDate, inputs, tz);
    if (explained.dueAt === dueAt) {
      const { utcOffset, explanation } = explained;
      return { ...occurrence, utcOffset, explanation };
    }
  }
  return { ...occurrence, utcOffset: null, explanation: null };
}
