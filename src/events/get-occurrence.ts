import { isOccurrenceKey } from '../domain/occurrence-key.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import { OccurrenceNotFoundError } from './errors.ts';
import { explain, type Explained } from './list-occurrences.ts';
import type { OccurrenceReader, OccurrenceRecord } from './occurrence-reader.ts';

/**
 * One occurrence with its attempts and how its instant was found: whether this user got theirs.
 *
 * @throws OccurrenceNotFoundError also for what cannot be a key
 */
export async function getOccurrence(
  { occurrences, law }: { occurrences: OccurrenceReader; law: ZoneLaw },
  key: string,
): Promise<Explained<OccurrenceRecord>> {
  const found = isOccurrenceKey(key) ? await occurrences.find(key) : null;
  if (found === null) throw new OccurrenceNotFoundError();
  return explain(found, law);
}
