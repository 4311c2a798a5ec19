import { validate as isUuid } from 'uuid';

import { isOccurrenceKey } from '../domain/occurrence-key.ts';
import type { OccurrencePlace } from '../events/occurrence-reader.ts';

/** An id as an opaque cursor: callers pass it back and read nothing from it. */
export function encodeCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
}

/** The id in a cursor; null when it is none of ours. */
export function decodeCursor(cursor: string): string | null {
  const hex = Buffer.from(cursor, 'base64url').toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isUuid(id) && encodeCursor(id) === cursor ? id : null;
}

/** A place in the ledger's pages as an opaque cursor. */
export function encodePlace({ fireAt, key }: OccurrencePlace): string {
  return Buffer.from(`${fireAt ?? ''}/${key}`).toString('base64url');
}

/** Wider than any event, and within what PostgreSQL has an instant for, which begins in 4714 BC. */
const EARLIEST_MS = Date.UTC(1583, 0, 1);
const LATEST_MS = Date.UTC(9999, 11, 31);

/** The place in a cursor; null when it is none of ours. */
export function decodePlace(cursor: string): OccurrencePlace | null {
  const [, instant = '', key = ''] =
    /^(|-?\d{1,15})\/(.+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (!isOccurrenceKey(key)) return null;
  const place = { fireAt: instant === '' ? null : Number(instant), key };
  if (!isInstant(place.fireAt)) return null;
  return encodePlace(place) === cursor ? place : null;
}

function isInstant(fireAt: number | null): boolean {
  return fireAt === null || (fireAt >= EARLIEST_MS && fireAt <= LATEST_MS);
}
