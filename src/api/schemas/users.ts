import { z } from '@hono/zod-openapi';

import { timezoneHint, type User } from '../../users/user.ts';
import type { ApiDeps } from '../deps.ts';
import { toBody } from './common.ts';

export const UserSchema = z
  .object({
    id: z.uuid(),
    externalId: z.string().nullable(),
    firstName: z.string(),
    lastName: z.string(),
    dateOfBirth: z.iso.date(),
    timezone: z.string().openapi({ example: 'Europe/Berlin' }),
    deliveryTime: z.string().nullable().openapi({ example: '09:00' }),
    suspended: z.boolean(),
    suspendedReason: z.string().nullable(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    revision: z.int().describe('1 at first, and one more with each change'),
  })
  .openapi('User');

const hints = z
  .array(
    z.object({
      field: z.string().openapi({ example: 'timezone' }),
      hint: z.string().openapi({ example: 'has no daylight saving time' }),
    }),
  )
  .optional()
  .describe('Accepted input that may be a mistake');

/** In answers to changes. */
export const withHints = { hints };

export const WrittenUserSchema = UserSchema.extend(withHints).openapi('WrittenUser');

export const userBody = (user: User) => toBody(UserSchema, user);

export function writtenUserBody(user: User, deps: Pick<ApiDeps, 'clock' | 'tz'>) {
  return { ...userBody(user), ...hintsOf(zoneHints(user.timezone, deps)) };
}

export type Hint = NonNullable<z.output<typeof hints>>[number];

/** Absent if there are none. */
export function hintsOf(hints: readonly Hint[]) {
  return hints.length > 0 ? { hints: [...hints] } : {};
}

export function zoneHints(timezone: string | null, { clock, tz }: Pick<ApiDeps, 'clock' | 'tz'>) {
  const hint = timezone === null ? null : timezoneHint(timezone, clock(), tz);
  return hint === null ? [] : [{ field: 'timezone', hint }];
}

export const idempotencyKeyHeader = z.object({
  'Idempotency-Key': z
    .string()
    .regex(
      /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/,
      'must have 1 to 255 visible ASCII characters',
    )
    .optional()
    .describe(
      'Makes retries safe: requests with the same key and the same input get the same answer. Kept for at least a day.',
    ),
});

export const locationHeader = {
  Location: { schema: { type: 'string' as const }, description: 'The path by the id' },
};
