import { z } from '@hono/zod-openapi';

import type { OccurrenceFilter } from '../ledger/occurrence-filter.ts';
import { isOccasionType } from '../ledger/occurrence-key.ts';
import { ruled } from '../users/user-input.ts';
import { instantFault } from '../time/instant.ts';

const STATES = ['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED'] as const;

/** A zone has no index of its own, which every delivery would have to keep up: so it needs a window. */
const WINDOW_OF_ZONE_DAYS = 31;
const DAY_MS = 86_400_000;

/**
 * The fields of a filter, for a query (`queryFlag`) or a JSON body (`z.boolean()`). Put them
 * into a `z.strictObject`, with {@link checkFilter} as its `superRefine`.
 */
export function filterFields<Flag extends z.ZodType<boolean>>(flag: () => Flag) {
  return {
    status: z.enum(STATES, `must be one of ${STATES.join(', ')}`).optional(),
    from: instant('Due instants from this one on'),
    to: instant('Due instants before this one'),
    occasionType: ruled((type) =>
      isOccasionType(type) ? null : 'must be the name of an occasion type, such as birthday',
    )
      .optional()
      .openapi({ example: 'birthday' }),
    userId: z.uuid('must be the id of a user, a UUID').optional(),
    timezone: z
      .string('must be a string')
      .regex(/^[\w+/-]{1,64}$/, 'must be the name of a time zone')
      .optional()
      .openapi({
        description: `As it was sent. Needs from and to, at most ${WINDOW_OF_ZONE_DAYS} days apart`,
      }),
    late: flag().optional().openapi({ description: 'Delivered late, or on time' }),
    blocked: flag()
      .optional()
      .openapi({ description: 'Cannot be planned; then there is no instant' }),
  };
}

function instant(description: string) {
  return ruled(instantFault).optional().openapi({ description, format: 'date-time' });
}

/** `true` or `false` in a query. */
export function queryFlag() {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .openapi({ type: 'boolean' });
}

type FilterInput = z.output<z.ZodObject<ReturnType<typeof filterFields<z.ZodType<boolean>>>>>;

/** What fields, each right alone, must be together. */
export function checkFilter(filter: FilterInput, context: z.RefinementCtx): void {
  const { from, to, timezone } = filter;
  const refuse = (field: keyof FilterInput, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const windowMs = from && to ? Date.parse(to) - Date.parse(from) : null;
  if (windowMs !== null && windowMs <= 0) refuse('to', 'must be after from');
  if (timezone !== undefined && (windowMs ?? Infinity) > WINDOW_OF_ZONE_DAYS * DAY_MS) {
    refuse('timezone', `needs from and to, at most ${WINDOW_OF_ZONE_DAYS} days apart`);
  }
}

/** What was asked for, as the ledger takes it. */
export function filterOf(input: FilterInput): OccurrenceFilter {
  return {
    status: input.status ?? null,
    from: epochMs(input.from),
    to: epochMs(input.to),
    occasionType: input.occasionType ?? null,
    userId: input.userId ?? null,
    timezone: input.timezone ?? null,
    late: input.late ?? null,
    blocked: input.blocked ?? null,
  };
}

function epochMs(instant: string | undefined): number | null {
  return instant === undefined ? null : Date.parse(instant);
}
