import { z } from '@hono/zod-openapi';

import { type Occasion, SIMPLE_RECURRENCES } from '../../users/occasion.ts';
import { OCCASION_STATUSES, type OccasionStatus } from '../../users/occasion-status.ts';
import { toBody } from './common.ts';
import { withHints } from './users.ts';

export const OccasionSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid(),
    externalId: z.string().nullable(),
    type: z.string().openapi({ example: 'subscription' }),
    date: z.iso.date().nullable().describe('Null for a birthday-reminder'),
    recurrence: z.enum(SIMPLE_RECURRENCES).nullable().describe('Null if there is an `rrule`'),
    rrule: z.string().nullable(),
    offsetDays: z.int(),
    deliveryTime: z.string().nullable().openapi({ example: '09:00' }),
    timezone: z.string().nullable().describe("Null: the user's"),
    data: z.record(z.string(), z.unknown()).nullable(),
    suspended: z.boolean(),
    suspendedReason: z.string().nullable(),
    status: z
      .enum(OCCASION_STATUSES)
      .describe(
        '`suspended`: the occasion, or its user, is. `ended`: no occurrence falls due any more; a later date, or a later end of the recurrence, revives it',
      ),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    revision: z.int().describe('1 at first, and one more with each change'),
  })
  .openapi('Occasion');

export const WrittenOccasionSchema = OccasionSchema.extend(withHints).openapi('WrittenOccasion');

export const occasionBody = (occasion: Occasion, status: OccasionStatus) =>
  toBody(OccasionSchema, { ...occasion, status });
