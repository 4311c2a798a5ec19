/** Places in pages as opaque cursors, which callers only pass back. */
import { validate as isUuid } from 'uuid';

import { isOccurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccurrencePlace } from '../ledger/occurrence-filter.ts';
import type { UserPlace } from '../users/users.ts';

export function encodeUserPlace({ position, id }: UserPlace): string {
  return encode(`${position}/${id}`);
}

/** Null for what is no cursor of ours. */
export function decodeUserPlace(cursor: string): UserPlace | null {
  const [, position = '', id = ''] = /^(\d{1,19})\/(.+)$/.exec(decode(cursor)) ?? [];
  const place = { position, id };
  return isUuid(id) && encodeUserPlace(place) === cursor ? place : null;
}

export function encodePlace({ dueAt, key }: OccurrencePlace): string {
  return encode(`${dueAt ?? ''}/${key}`);
}

/** Wider than any occasion, and within the instants that PostgreSQL can store. */
const EARLIEST_MS = Date.UTC(1583, 0, 1);
const LATEST_MS = Date.UTC(9999, 11, 31);

/** Null for what is no cursor of ours. */
export function decodePlace(cursor: string): OccurrencePlace | null {
  const [, instant = '', key = ''] = /^(|-?\d{1,15})\/(.+)$/.exec(decode(cursor)) ?? [];
  const dueAt = instant === '' ? null : Number(instant);
  if (dueAt !== null && (dueAt < EARLIEST_MS || dueAt > LATEST_MS)) return null;
  return isOccurrenceKey(key) && encodePlace({ dueAt, key }) === cursor ? { dueAt, key } : null;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function decode(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}
