import type { OccurrenceFilter } from './occurrence-filter.ts';
import type { OccurrencePlace, OccurrenceReader, OccurrenceSummary } from './occurrence-reader.ts';

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
 * Gives a page of the ledger, by fire instant and key. Each page begins after a place, so a
 * row that is moved meanwhile can be missed or seen twice, and no other can.
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
  return { occurrences: page, nextAfter: { fireAt: last.fireAt, key: last.key } };
}
