/** Places in pages as opaque cursors, which callers only pass back: JSON in base64url. */
import { z } from 'zod';

import { isOccurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccurrencePlace } from '../ledger/occurrence-filter.ts';
import type { UserPlace } from '../users/users.ts';

export type Cursor<Place> = ReturnType<typeof cursorOf<Place>>;

function cursorOf<Place>(schema: z.ZodType<Place>) {
  return {
    encode: (place: Place) => Buffer.from(JSON.stringify(place)).toString('base64url'),
    /** Null for what is no cursor of ours. */
    decode(cursor: string): Place | null {
      try {
        return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
      } catch {
        return null;
      }
    },
  };
}

export const userCursor = cursorOf<UserPlace>(
  z.strictObject({ position: z.string().regex(/^\d{1,19}$/), id: z.uuid() }),
);

export const occurrenceCursor = cursorOf<OccurrencePlace>(
  z.strictObject({
    // Wider than any occasion, and within the instants that PostgreSQL can store.
    dueAt: z
      .int()
      .min(Date.UTC(1583, 0, 1))
      .max(Date.UTC(9999, 11, 31))
      .nullable(),
    key: z.string().refine(isOccurrenceKey),
  }),
);
