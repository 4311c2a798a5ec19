/** The settings of an occasion type, in requests and responses. */
import { z } from '@hono/zod-openapi';

import { isOccasionType } from '../../ledger/occurrence-key.ts';
import { MESSAGE_MAX, messageFault } from '../../occasion-types/message-template.ts';
import { isBlank } from '../../platform/text.ts';
import { absentIs, localTimeField, ruled } from '../../users/user.ts';
import { destinationName } from './common.ts';

export const occasionTypeParam = z.object({
  name: ruled((name) =>
    isOccasionType(name) && name !== RESERVED
      ? null
      : 'must be the name of an occasion type, such as birthday',
  ).openapi({ param: { name: 'name', in: 'path' }, example: 'subscription' }),
});

/** The test event of the webhook has this type. */
const RESERVED = 'test';

const templateField = ruled((template) =>
  isBlank(template)
    ? 'must not be blank; null or leaving it out means the built-in one'
    : messageFault(template),
).openapi({
  description:
    "A template with {firstName}, {lastName}, {years}, {date}, and {data.field|default} for a field of the occasion's data. Any of them can have a default, used if the value is missing or empty; data fields must have one. To write a brace, double it",
  minLength: 1,
  maxLength: MESSAGE_MAX,
  example: 'Hey, {firstName} {lastName} your {data.plan|current} plan renews on {date}',
});
const leapDayPolicyField = z.enum(['feb28', 'mar1'], 'must be feb28 or mar1').openapi({
  description:
    'Which day replaces one that its month does not have: the last day before it, or the first after it',
});
const whenLateField = z.enum(['send', 'skip'], 'must be send or skip').openapi({
  description:
    '`send`: what is late is sent within the late limit. `skip`: what is later than LATE_AFTER is skipped',
});
const lateLimitText = { description: 'How late a first attempt may be', example: '48h' };

const MINUTE_MS = 60_000;
const LATE_LIMIT_MAX_MS = 30 * 24 * 60 * MINUTE_MS;
const LATE_LIMIT_RULE = 'must be a duration such as 90m or 48h, from 1m to 30d';
const UNITS = { s: 1_000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS } as const;

/** Ms; null if it is not a duration. */
function parseDuration(text: string): number | null {
  const [, count, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** Exact, in the largest unit up to an hour. */
export function formatDuration(ms: number): string {
  const unit = (['h', 'm', 's'] as const).find((one) => ms % UNITS[one] === 0) ?? 's';
  return `${ms / UNITS[unit]}${unit}`;
}

function lateLimitFault(text: string): string | null {
  const ms = parseDuration(text);
  return ms !== null && ms >= MINUTE_MS && ms <= LATE_LIMIT_MAX_MS ? null : LATE_LIMIT_RULE;
}

export const OccasionTypeInput = z
  .strictObject({
    message: absentIs(null, templateField.nullable()),
    deliveryTime: absentIs(
      null,
      localTimeField('Local time of delivery, unless the occasion or the user has one').nullable(),
    ),
    leapDayPolicy: absentIs(null, leapDayPolicyField.nullable()),
    lateLimit: absentIs(
      null,
      ruled(lateLimitFault).transform(parseDuration).openapi(lateLimitText).nullable(),
    ),
    whenLate: absentIs(null, whenLateField.nullable()),
    destination: absentIs(
      null,
      destinationName.openapi({ description: 'Where it is sent', example: 'crm' }).nullable(),
    ),
  })
  .openapi('OccasionTypeInput');

export const OccasionTypeSchema = z
  .object({
    type: z.string().openapi({ example: 'subscription' }),
    builtIn: z.boolean().describe('Whether it comes with Daybell'),
    message: z.string().nullable(),
    deliveryTime: z.string().nullable(),
    leapDayPolicy: leapDayPolicyField.nullable(),
    lateLimit: z.string().nullable().openapi(lateLimitText),
    whenLate: whenLateField.nullable(),
    destination: z.string().nullable(),
    inForce: z
      .object({
        message: z.string(),
        deliveryTime: z.string(),
        leapDayPolicy: leapDayPolicyField,
        lateLimit: z.string().openapi(lateLimitText),
        destination: z.string(),
      })
      .describe(
        "The settings in force: what is set, or else the built-in value or the installation's",
      ),
    revision: z.int().describe('0 until something is set, and one more with each change'),
    updatedAt: z.iso.datetime().nullable(),
  })
  .openapi('OccasionType');
