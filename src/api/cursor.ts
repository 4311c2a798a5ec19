import { validate as isUuid } from 'uuid';

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
