import { createRoute, z } from '@hono/zod-openapi';

import {
  addressedOccasionInput,
  type Occasion,
  occasionInput,
  occasionPatch,
  typeField,
} from '../../users/occasion.ts';
import { OCCASION_STATUSES, type OccasionStatus, statusOf } from '../../users/occasion-status.ts';
import { needs } from '../access.ts';
import {
  OCCASION_BY_EXTERNAL_ID,
  OCCASION_BY_EXTERNAL_IDS,
  OCCASION_BY_ID,
  refuseOther,
  USER_BY_EXTERNAL_ID,
  USER_BY_ID,
} from '../addresses.ts';
import { acceptedBy, conditions, etagHeader, isNoneMatch, readableBy } from '../conditions.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { occasionBody, OccasionSchema, WrittenOccasionSchema } from '../schemas/occasions.ts';
import { problems } from '../problem.ts';
import {
  json,
  nextCursor,
  noQuery,
  occasionCursor,
  pageParams,
  requiredBody,
} from '../schemas/common.ts';
import { hintsOf, idempotencyKeyHeader, locationHeader, zoneHints } from '../schemas/users.ts';

const tag = etagHeader('occasion, and of its status');

/** The status, which changes by itself, is part of what a reader sees, but no part of a revision. */
const tagsOf = (revision: number) => OCCASION_STATUSES.map((status) => `"${revision}-${status}"`);

/** Occasions of users besides the birthday. */
export function registerOccasions(app: Api, deps: ApiDeps): void {
  const { occasions } = deps;
  const OccasionInput = occasionInput(deps).openapi('OccasionInput');
  const OccasionReplacement = addressedOccasionInput(deps).openapi('OccasionReplacement');
  const OccasionPatch = occasionPatch(deps).openapi('OccasionPatch');
  const written = { headers: tag, content: json(WrittenOccasionSchema) };
  const created = { ...written, headers: { ...tag, ...locationHeader } };

  /** Reads the settings once for all occasions of an answer. */
  async function createStatusOf() {
    const settingsOf = await deps.dateSettings();
    const now = deps.clock();
    return (occasion: Occasion) => statusOf(occasion, settingsOf(occasion.type), now, deps.tz);
  }

  const statusNow = async (occasion: Occasion) => (await createStatusOf())(occasion);

  /** The response to a change, with hints at likely mistakes. */
  async function answer(occasion: Occasion) {
    const status = await statusNow(occasion);
    const hints = zoneHints(occasion.timezone, deps);
    if (status === 'ended') {
      hints.push({
        field: 'date',
        hint: 'leaves no future occurrence: nothing falls due any more',
      });
    }
    return {
      body: { ...occasionBody(occasion, status), ...hintsOf(hints) },
      etag: etagOf(occasion, status),
    };
  }

  const createOccasion = createRoute({
    operationId: 'createOccasion',
    ...needs('users:write', 'Occasions'),
    summary: 'Create an occasion',
    description:
      'Either `recurrence` or `rrule` is required. What is due before its creation is not sent: an occasion without a future occurrence has the status `ended` at once.',
    method: 'post',
    path: `${USER_BY_ID.path}/occasions`,
    request: {
      query: noQuery,
      params: USER_BY_ID.params,
      headers: idempotencyKeyHeader,
      body: requiredBody(OccasionInput),
    },
    responses: {
      201: { description: 'The created occasion', ...created },
      ...problems(400, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(createOccasion, async (c) => {
    const key = c.req.valid('header')['Idempotency-Key'] ?? null;
    const { user } = c.req.valid('param');
    const occasion = await occasions.create(user, c.req.valid('json'), key);
    const { body, etag } = await answer(occasion);
    return c.json(body, 201, { Location: locationOf(occasion), ETag: etag });
  });

  for (const { by, path, params } of [USER_BY_EXTERNAL_ID, USER_BY_ID]) {
    const listOccasions = createRoute({
      operationId: `listOccasions${by}`,
      ...needs('users:read', 'Occasions'),
      summary: "List a user's occasions",
      description:
        'In order of creation. The birthday, which the date of birth implies, is not listed.',
      method: 'get',
      path: `${path}/occasions`,
      request: {
        query: z.strictObject({ ...pageParams(occasionCursor), type: typeField().optional() }),
        params,
      },
      responses: {
        200: { description: 'A page of occasions', content: json(OccasionPage) },
        ...problems(400, 404),
      },
    });
    app.openapi(listOccasions, async (c) => {
      const { limit, cursor: after = null, type = null } = c.req.valid('query');
      const page = await occasions.list(c.req.valid('param').user, { limit, after, type });
      const statusOfEach = await createStatusOf();
      const bodies = page.occasions.map((occasion) =>
        occasionBody(occasion, statusOfEach(occasion)),
      );
      const nextCursor = page.next && occasionCursor.encode(page.next);
      return c.json({ occasions: bodies, nextCursor }, 200);
    });
  }

  for (const { by, path, params } of [
    OCCASION_BY_EXTERNAL_IDS,
    OCCASION_BY_EXTERNAL_ID,
    OCCASION_BY_ID,
  ]) {
    const getOccasion = createRoute({
      operationId: `getOccasion${by}`,
      ...needs('users:read', 'Occasions'),
      summary: 'Get an occasion',
      method: 'get',
      path,
      request: { query: noQuery, params, headers: conditions },
      responses: {
        200: { description: 'The occasion', headers: tag, content: json(OccasionSchema) },
        304: { description: 'If-None-Match has the current ETag', headers: tag },
        ...problems(400, 404, 412),
      },
    });
    app.openapi(getOccasion, async (c) => {
      const asked = c.req.valid('header');
      const { user, occasion: ref } = c.req.valid('param');
      const occasion = await occasions.get(user, ref, readableBy(asked, tagsOf));
      const status = await statusNow(occasion);
      const headers = { ETag: etagOf(occasion, status) };
      if (!isNoneMatch(asked, headers.ETag)) return c.body(null, 304, headers);
      return c.json(occasionBody(occasion, status), 200, headers);
    });

    const updateOccasion = createRoute({
      operationId: `updateOccasion${by}`,
      ...needs('users:write', 'Occasions'),
      summary: 'Update an occasion',
      description:
        'Absent fields keep their values; a `recurrence` takes the place of an `rrule`, and the other way round. The type is fixed. A request that changes nothing leaves the revision as it is.',
      method: 'patch',
      path,
      request: { query: noQuery, params, headers: conditions, body: requiredBody(OccasionPatch) },
      responses: {
        200: { description: 'The updated occasion', ...written },
        ...problems(400, 404, 409, 412, 413, 415),
      },
    });
    app.openapi(updateOccasion, async (c) => {
      const { user, occasion: ref } = c.req.valid('param');
      const accepted = acceptedBy(c.req.valid('header'), tagsOf);
      const occasion = await occasions.update(user, ref, c.req.valid('json'), accepted);
      const { body, etag } = await answer(occasion);
      return c.json(body, 200, { ETag: etag });
    });

    const deleteOccasion = createRoute({
      operationId: `deleteOccasion${by}`,
      ...needs('users:write', 'Occasions'),
      summary: 'Delete an occasion',
      description: 'Nothing more is sent for it. Ids are never reused.',
      method: 'delete',
      path,
      request: { query: noQuery, params, headers: conditions },
      responses: { 204: { description: 'The occasion is deleted' }, ...problems(400, 404, 412) },
    });
    app.openapi(deleteOccasion, async (c) => {
      const { user, occasion: ref } = c.req.valid('param');
      await occasions.delete(user, ref, acceptedBy(c.req.valid('header'), tagsOf));
      return c.body(null, 204);
    });
  }

  for (const { by, path, params } of [OCCASION_BY_EXTERNAL_IDS, OCCASION_BY_EXTERNAL_ID]) {
    const putOccasion = createRoute({
      operationId: `putOccasion${by}`,
      ...needs('users:write', 'Occasions'),
      summary: 'Create or replace an occasion',
      description:
        'Absent optional fields are cleared, except for a suspension: only `suspended: false` lifts one. Safe to repeat: a request that changes nothing leaves the revision as it is.',
      method: 'put',
      path,
      request: {
        query: noQuery,
        params,
        headers: conditions,
        body: requiredBody(OccasionReplacement),
      },
      responses: {
        200: { description: 'The replaced occasion', ...written },
        201: { description: 'The created occasion', ...created },
        ...problems(400, 404, 412, 413, 415),
      },
    });
    app.openapi(putOccasion, async (c) => {
      const { user, occasion: address } = c.req.valid('param');
      const input = c.req.valid('json');
      refuseOther('type', input.type, address.type);
      refuseOther('externalId', input.externalId, address.externalId);
      const accepted = acceptedBy(c.req.valid('header'), tagsOf);
      const { occasion, created } = await occasions.put(user, address, input, accepted);
      const { body, etag } = await answer(occasion);
      if (!created) return c.json(body, 200, { ETag: etag });
      return c.json(body, 201, { Location: locationOf(occasion), ETag: etag });
    });
  }
}

const OccasionPage = z
  .object({ occasions: z.array(OccasionSchema), nextCursor })
  .openapi('OccasionPage');

const locationOf = ({ userId, id }: Occasion) => `/v1/users/${userId}/occasions/${id}`;

const etagOf = ({ revision }: Occasion, status: OccasionStatus) => `"${revision}-${status}"`;
