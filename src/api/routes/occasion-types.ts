import { createRoute, z } from '@hono/zod-openapi';

import { BUILT_IN_TYPES, builtInMessage } from '../../occasion-types/built-in.ts';
import { type OccasionType, RevisionMismatchError } from '../../occasion-types/occasion-types.ts';
import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import { isoInstant } from '../../time/instant.ts';
import type { DateSettings } from '../../time/occurrence.ts';
import { InvalidInputError } from '../../users/errors.ts';
import { needs } from '../access.ts';
import { acceptedBy, conditions, etagHeader, isNoneMatch, readableBy } from '../conditions.ts';
import type { Api, ApiDeps } from '../deps.ts';
import {
  formatDuration,
  OccasionTypeInput,
  occasionTypeParam,
  OccasionTypeSchema,
} from '../schemas/occasion-types.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, noQuery, requiredBody } from '../schemas/common.ts';

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
      'The built-in types, those with settings, and those that occasions have had (up to 1,000), by name. A type needs no settings: any name can be used.',
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
    summary: 'Get the settings of an occasion type',
    method: 'get',
    path,
    request: { query: noQuery, params: occasionTypeParam, headers: conditions },
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
      'Replaces the settings: an absent field gets the built-in value or that of the installation. Message, late limit and destination apply to everything sent from then on, retries and redeliveries included. With another delivery time or leap-day policy, all future occurrences of the type are planned again, in the background; occasions and users with a delivery time of their own keep it.',
    method: 'put',
    path,
    request: {
      query: noQuery,
      params: occasionTypeParam,
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

/** Refuses a destination that this process has no settings for and no dispatcher sends to. */
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
