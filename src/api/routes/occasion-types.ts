import { createRoute, z } from '@hono/zod-openapi';

import { BUILT_IN_TYPES, builtInMessage } from '../../occasion-types/built-in.ts';
import { MESSAGE_MAX, messageFault } from '../../occasion-types/message-template.ts';
import { type OccasionType, RevisionMismatchError } from '../../occasion-types/occasion-types.ts';
import { isOccasionType } from '../../ledger/occurrence-key.ts';
import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import { isBlank } from '../../platform/text.ts';
import { isoInstant } from '../../time/instant.ts';
import type { DateSettings } from '../../time/occurrence.ts';
import { InvalidInputError } from '../../users/errors.ts';
import { absentIs, localTimeField, ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import { acceptedBy, conditions, etagHeader, isNoneMatch, readableBy } from '../conditions.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { destinationName, json, noQuery, requiredBody } from '../schemas.ts';

const path = '/v1/occasion-types/{name}';

export function registerOccasionTypes(app: Api, deps: ApiDeps): void {
  const { occasionTypes, logger } = deps;
  const { limits } = deps.audit;
  const bodyOf = async (type: OccasionType) =>
    typeBody(type, (await deps.dateSettings())(), limits);

  const list = createRoute({
    operationId: 'listOccasionTypes',
    ...needs('deliveries:read', 'Occasion types'),
    summary: 'List occasion types',
    description:
      'Those that are built in, that something was set for, or that occasions have had (up to 1,000 of these), by name. A type needs no settings: any name can be used.',
    method: 'get',
    path: '/v1/occasion-types',
    request: { query: noQuery },
    responses: {
      200: {
        description: 'The types',
        content: json(
          z.object({ occasionTypes: z.array(OccasionTypeSchema) }).openapi('OccasionTypes'),
        ),
      },
      ...problems(400),
    },
  });
  app.openapi(list, async (c) => {
    const types = await Promise.all((await occasionTypes.list()).map(bodyOf));
    return c.json({ occasionTypes: types }, 200);
  });

  const get = createRoute({
    operationId: 'getOccasionType',
    ...needs('deliveries:read', 'Occasion types'),
    summary: 'Get what is set for an occasion type',
    method: 'get',
    path,
    request: { query: noQuery, params: nameParam, headers: conditions },
    responses: {
      200: { description: 'The settings', headers: tag, content: json(OccasionTypeSchema) },
      304: { description: 'If-None-Match has the current ETag', headers: tag },
      ...problems(400, 412),
    },
  });
  app.openapi(get, async (c) => {
    const asked = c.req.valid('header');
    const type = await occasionTypes.get(c.req.valid('param').name);
    const headers = { ETag: etagOf(type.revision) };
    if (!readableBy(asked, tagsOf)(type.revision)) throw new RevisionMismatchError();
    if (!isNoneMatch(asked, headers.ETag)) return c.body(null, 304, headers);
    return c.json(await bodyOf(type), 200, headers);
  });

  const put = createRoute({
    operationId: 'setOccasionType',
    ...needs('deliveries:write', 'Occasion types'),
    ...LOGGED,
    summary: 'Set an occasion type',
    description:
      'Replaces what is set: an absent field is as it is built in, or as the installation says. Message, late limit and destination hold for all that is taken up for sending from then on, retries and redeliveries included. With another delivery time or leap-day policy, everything of the type that is still to come is planned again, in the background; an occasion or a user with a delivery time of its own keeps that.',
    method: 'put',
    path,
    request: {
      query: noQuery,
      params: nameParam,
      headers: conditions,
      body: requiredBody(OccasionTypeInput),
    },
    responses: {
      200: {
        description: 'The new settings',
        headers: tag,
        content: json(OccasionTypeSchema),
      },
      ...problems(400, 409, 412, 413, 415),
    },
  });
  app.openapi(put, async (c) => {
    const asked = c.req.valid('header');
    const { lateLimit: lateLimitMs, ...others } = c.req.valid('json');
    await refuseUnknown(others.destination, deps);
    const type = await occasionTypes.put(
      c.req.valid('param').name,
      { ...others, lateLimitMs },
      acceptedBy(asked, tagsOf),
    );
    const { message: _message, ...logged } = type;
    await noteOperation(c, logged);
    loggerOf(c, logger).info(logged, 'occasion type set');
    return c.json(await bodyOf(type), 200, { ETag: etagOf(type.revision) });
  });
}

/** Refuses a destination that neither this process has settings for nor any dispatcher sends to. */
async function refuseUnknown(
  destination: string | null,
  { occasionTypes, webhookTesters }: Pick<ApiDeps, 'occasionTypes' | 'webhookTesters'>,
): Promise<void> {
  if (destination === null || destination === DEFAULT_DESTINATION) return;
  if (webhookTesters.has(destination)) return;
  const served = await occasionTypes.servedDestinations();
  if (served.includes(destination)) return;
  const known = new Set([DEFAULT_DESTINATION, ...webhookTesters.keys(), ...served]);
  const rule = `must be a destination that is set up (WEBHOOK_URL_<NAME>): ${[...known].join(', ')}`;
  throw new InvalidInputError([{ field: 'destination', rule }]);
}

const nameParam = z.object({
  name: ruled((name) =>
    isOccasionType(name) && name !== RESERVED
      ? null
      : 'must be the name of an occasion type, such as birthday',
  ).openapi({ param: { name: 'name', in: 'path' }, example: 'subscription' }),
});

/** The test event of the webhook is named so. */
const RESERVED = 'test';

const MINUTE_MS = 60_000;
const LATE_LIMIT_MAX_MS = 30 * 24 * 60 * MINUTE_MS;
const LATE_LIMIT_RULE = 'must be a duration such as 90m or 48h, from 1m to 30d';
const UNITS = { s: 1_000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS } as const;

/** Ms; null for what is no duration. */
function parseDuration(text: string): number | null {
  const [, count, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** Exact, in the largest unit up to an hour. */
function formatDuration(ms: number): string {
  const unit = (['h', 'm', 's'] as const).find((one) => ms % UNITS[one] === 0) ?? 's';
  return `${ms / UNITS[unit]}${unit}`;
}

function lateLimitFault(text: string): string | null {
  const ms = parseDuration(text);
  return ms !== null && ms >= MINUTE_MS && ms <= LATE_LIMIT_MAX_MS ? null : LATE_LIMIT_RULE;
}

const templateField = ruled((template) =>
  isBlank(template)
    ? 'must not be blank; null or leaving it out means the built-in one'
    : messageFault(template),
).openapi({
  description:
    "A template with {firstName}, {lastName}, {years}, {date}, and {data.field|default} for a field of the occasion's data. Any of them can have a default, which takes the place of a value that is missing or empty; those of data must. A brace that is text is written twice",
  minLength: 1,
  maxLength: MESSAGE_MAX,
  example: 'Hey, {firstName} {lastName} your {data.plan|current} plan renews on {date}',
});
const leapDayPolicyField = z.enum(['feb28', 'mar1'], 'must be feb28 or mar1').openapi({
  description:
    'Where a day goes that its month does not have: to the last one before it, or the first after it',
});
const whenLateField = z.enum(['send', 'skip'], 'must be send or skip').openapi({
  description:
    '`send`: what is late is sent within the late limit. `skip`: what is later than LATE_AFTER is skipped',
});
const lateLimitText = { description: 'How late a first attempt may be', example: '48h' };

const OccasionTypeInput = z
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

const OccasionTypeSchema = z
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
      .describe('What holds: what is set, or else what is built in or the installation says'),
    revision: z.int().describe('0 as long as nothing was set, and one more with each change'),
    updatedAt: z.iso.datetime().nullable(),
  })
  .openapi('OccasionType');

const tag = etagHeader('settings');
const etagOf = (revision: number) => `"${revision}"`;
const tagsOf = (revision: number) => [etagOf(revision)];

function typeBody(
  found: OccasionType,
  installation: DateSettings,
  limits: ApiDeps['audit']['limits'],
): z.output<typeof OccasionTypeSchema> {
  const { type, message, deliveryTime, leapDayPolicy, lateLimitMs, whenLate, destination } = found;
  const limitMs = whenLate === 'skip' ? limits.lateAfterMs : (lateLimitMs ?? limits.lateLimitMs);
  return {
    type,
    builtIn: BUILT_IN_TYPES.includes(type),
    message,
    deliveryTime,
    leapDayPolicy,
    lateLimit: lateLimitMs === null ? null : formatDuration(lateLimitMs),
    whenLate,
    destination,
    inForce: {
      message: message ?? builtInMessage(type),
      deliveryTime: deliveryTime ?? installation.localTime,
      leapDayPolicy: leapDayPolicy ?? installation.leapDayPolicy,
      lateLimit: formatDuration(limitMs),
      destination: destination ?? DEFAULT_DESTINATION,
    },
    revision: found.revision,
    updatedAt: isoInstant(found.updatedAt),
  };
}
