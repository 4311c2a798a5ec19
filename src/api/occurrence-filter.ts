import { z } from '@hono/zod-openapi';

import { isOccasionType } from '../ledger/occurrence-key.ts';
import { ruled } from '../users/user-input.ts';
import { instantParam, timezoneParam } from './schemas.ts';

const DAY_MS = 86_400_000;
/** Zones have no index, which every delivery would have to maintain: a window bounds the search. */
const ZONE_WINDOW_DAYS = 31;
const NEEDS_WINDOW = `from and to, at most ${ZONE_WINDOW_DAYS} days apart`;

/** Which occurrences are meant: fields for a `z.strictObject` with {@link checkFilter}. */
export const filterFields = {
  from: instantParam('Due instants from this one on'),
  to: instantParam('Due instants before this one'),
  occasionType: ruled((type) =>
    isOccasionType(type) ? null : 'must be the name of an occasion type, such as birthday',
  )
    .optional()
    .openapi({ example: 'birthday' }),
  userId: z.uuid('must be the id of a user, a UUID').optional(),
  timezone: timezoneParam(`As it was sent. Requires ${NEEDS_WINDOW}`),
};

type FilterInput = z.output<z.ZodObject<typeof filterFields>>;

/** The rules that span several fields, as a `superRefine`. */
export function checkFilter({ from, to, timezone }: FilterInput, context: z.RefinementCtx): void {
  const refuse = (field: keyof FilterInput, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const windowMs = from !== undefined && to !== undefined ? to - from : null;
  if (windowMs !== null && windowMs <= 0) refuse('to', 'must be after from');
  if (timezone !== undefined && (windowMs ?? Infinity) > ZONE_WINDOW_DAYS * DAY_MS) {
    refuse('timezone', `needs ${NEEDS_WINDOW}`);
  }
}

/** The filter for the ledger: epoch ms, and null for any. */
export function filterOf({ from, to, occasionType, userId, timezone }: FilterInput) {
  return {
    from: from ?? null,
    to: to ?? null,
    occasionType: occasionType ?? null,
    userId: userId ?? null,
    timezone: timezone ?? null,
  };
}
