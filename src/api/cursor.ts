import { validate as isUuid } from 'uuid';

import { isOccurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccurrencePlace } from '../ledger/occurrence-reader.ts';
import type { UserPlace } from '../users/user-store.ts';

/** A place in the pages of users as an opaque cursor: callers pass it back and read nothing from it. */
export function encodeUserPlace({ position, id }: UserPlace): string {
  return encode(`${position}/${id}`);
}

/** The place in a cursor; null when it is none of ours. */
export function decodeUserPlace(cursor: string): UserPlace | null {
  const [, position = '', id = ''] = /^(\d{1,19})\/(.+)$/.exec(decode(cursor)) ?? [];
  const place = { position, id };
  return isUuid(id) && encodeUserPlace(place) === cursor ? place : null;
}

/** A place in the ledger's pages as an opaque cursor. */
export function encodePlace({ dueAt, key }: OccurrencePlace): string {
  return encode(`${dueAt ?? ''}/${key}`);
}

/** Wider than any occasion, and within what PostgreSQL has an instant for, which begins in 4714 BC. */
const EARLIEST_MS = Date.UTC(1583, 0, 1);
const LATEST_MS = Date.UTC(9999, 11, 31);

/** The place in a cursor; null when it is none of ours. */
export function decodePlace(cursor: string): OccurrencePlace | null {
  const [, instant = '', key = ''] = /^(|-?\d{1,15})\/(.+)$/.exec(decode(cursor)) ?? [];
  if (!isOccurrenceKey(key)) return null;
  const place = { dueAt: instant === '' ? null : Number(instant), key };
  if (!isInstant(place.dueAt)) return null;
  return encodePlace(place) === cursor ? place : null;
}

function isInstant(dueAt: number | null): boolean {
  return dueAt === null || (dueAt >= EARLIEST_MS && dueAt <= LATEST_MS);
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decode(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}
