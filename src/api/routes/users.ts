import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import {
  EXTERNAL_ID_MAX,
  externalIdFault,
  ruled,
  searchFault,
  type User,
  userInput,
  userPatch,
} from '../../users/user.ts';
import { needs } from '../access.ts';
import { refuseOther, USER_BY_EXTERNAL_ID, USER_BY_ID } from '../addresses.ts';
import { acceptedBy, conditions, etagHeader, isNoneMatch, readableBy } from '../conditions.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import {
  json,
  nextCursor,
  noQuery,
  pageParams,
  requiredBody,
  timezoneParam,
  userCursor,
} from '../schemas/common.ts';
import {
  idempotencyKeyHeader,
  locationHeader,
  userBody,
  UserSchema,
  writtenUserBody,
  WrittenUserSchema,
} from '../schemas/users.ts';

const tag = etagHeader('user');

/** Ids are never reused, so the revision is enough. */
const etagOf = (revision: number) => `"${revision}"`;
const tagsOf = (revision: number) => [etagOf(revision)];

const locationOf = ({ id }: User) => `/v1/users/${id}`;

export function registerUsers(app: Api, deps: ApiDeps): void {
  const { users } = deps;
  const UserInput = userInput(deps).openapi('UserInput');
  const UserPatch = userPatch(deps).openapi('UserPatch');
  const written = { headers: tag, content: json(WrittenUserSchema) };
  const created = { ...written, headers: { ...tag, ...locationHeader } };

  const createUser = createRoute({
    operationId: 'createUser',
    ...needs('users:write', 'Users'),
    summary: 'Create a user',
    description: 'The first webhook is sent on the next birthday.',
    method: 'post',
    path: '/v1/users',
    request: { query: noQuery, headers: idempotencyKeyHeader, body: requiredBody(UserInput) },
    responses: {
      201: { description: 'The created user', ...created },
      ...problems(400, 409, 413, 415, 422),
    },
  });
  app.openapi(createUser, async (c) => {
    const key = c.req.valid('header')['Idempotency-Key'] ?? null;
    const user = await users.create(c.req.valid('json'), key);
    const headers = { Location: locationOf(user), ETag: etagOf(user.revision) };
    return c.json(writtenUserBody(user, deps), 201, headers);
  });

  const listUsers = createRoute({
    operationId: 'listUsers',
    ...needs('users:read', 'Users'),
    summary: 'List users',
    description:
      'In order of creation. A page can be shorter than `limit` and not be the last: continue until `nextCursor` is null.',
    method: 'get',
    path: '/v1/users',
    request: {
      query: z.strictObject({
        ...pageParams(userCursor),
        externalId: ruled(externalIdFault)
          .optional()
          .openapi({ minLength: 1, maxLength: EXTERNAL_ID_MAX, pattern: TEXT_PATTERN }),
        timezone: timezoneParam('As it was sent: links are not resolved'),
        q: ruled(searchFault).trim().optional().openapi({
          description:
            'The beginning of the first name, the last name, both in either order, or the external id; in any case, with or without accents',
          minLength: 1,
          maxLength: EXTERNAL_ID_MAX,
          pattern: TEXT_PATTERN,
          example: 'love',
        }),
      }),
    },
    responses: {
      200: {
        description: 'A page of users',
        content: json(z.object({ users: z.array(UserSchema), nextCursor }).openapi('UserPage')),
      },
      ...problems(400),
    },
  });
  app.openapi(listUsers, async (c) => {
    const { cursor: after = null, limit, ...filter } = c.req.valid('query');
    const { externalId = null, timezone = null, q = null } = filter;
    const page = await users.list({ limit, after, externalId, timezone, q });
    const nextCursor = page.next && userCursor.encode(page.next);
    return c.json({ users: page.users.map(userBody), nextCursor }, 200);
  });

  // First: an external id may equal the name of a path below a user, such as `occurrences`.
  for (const { by, path, params } of [USER_BY_EXTERNAL_ID, USER_BY_ID]) {
    const getUser = createRoute({
      operationId: `getUser${by}`,
      ...needs('users:read', 'Users'),
      summary: 'Get a user',
      method: 'get',
      path,
      request: { query: noQuery, params, headers: conditions },
      responses: {
        200: { description: 'The user', headers: tag, content: json(UserSchema) },
        304: { description: 'If-None-Match has the current ETag', headers: tag },
        ...problems(400, 404, 412),
      },
    });
    app.openapi(getUser, async (c) => {
      const asked = c.req.valid('header');
      const user = await users.get(c.req.valid('param').user, readableBy(asked, tagsOf));
      const headers = { ETag: etagOf(user.revision) };
      if (!isNoneMatch(asked, headers.ETag)) return c.body(null, 304, headers);
      return c.json(userBody(user), 200, headers);
    });

    const updateUser = createRoute({
      operationId: `updateUser${by}`,
      ...needs('users:write', 'Users'),
      summary: 'Update a user',
      description:
        'Absent fields keep their values. A new date of birth, time zone or delivery time moves the next occurrence. A request that changes nothing leaves the revision as it is.',
      method: 'patch',
      path,
      request: { query: noQuery, params, headers: conditions, body: requiredBody(UserPatch) },
      responses: {
        200: { description: 'The updated user', ...written },
        ...problems(400, 404, 409, 412, 413, 415),
      },
    });
    app.openapi(updateUser, async (c) => {
      const accepted = acceptedBy(c.req.valid('header'), tagsOf);
      const user = await users.update(c.req.valid('param').user, c.req.valid('json'), accepted);
      return c.json(writtenUserBody(user, deps), 200, { ETag: etagOf(user.revision) });
    });

    const deleteUser = createRoute({
      operationId: `deleteUser${by}`,
      ...needs('users:write', 'Users'),
      summary: 'Delete a user',
      description: 'With all occasions. Nothing more is sent for the user. Ids are never reused.',
      method: 'delete',
      path,
      request: { query: noQuery, params, headers: conditions },
      responses: {
        204: { description: 'The user is deleted' },
        ...problems(400, 404, 412),
      },
    });
    app.openapi(deleteUser, async (c) => {
      const accepted = acceptedBy(c.req.valid('header'), tagsOf);
      await users.delete(c.req.valid('param').user, accepted);
      return c.body(null, 204);
    });
  }

  const replacing =
    'Absent optional fields are cleared, except for a suspension: only `suspended: false` lifts one. A request that changes nothing leaves the revision as it is.';
  const replaceUser = createRoute({
    operationId: 'replaceUser',
    ...needs('users:write', 'Users'),
    summary: 'Replace a user',
    description: `${replacing} A user that does not exist is not created: 404.`,
    method: 'put',
    path: USER_BY_ID.path,
    request: {
      query: noQuery,
      params: USER_BY_ID.params,
      headers: conditions,
      body: requiredBody(UserInput),
    },
    responses: {
      200: { description: 'The replaced user', ...written },
      ...problems(400, 404, 409, 412, 413, 415),
    },
  });
  app.openapi(replaceUser, async (c) => {
    const accepted = acceptedBy(c.req.valid('header'), tagsOf);
    const user = await users.update(c.req.valid('param').user, c.req.valid('json'), accepted);
    return c.json(writtenUserBody(user, deps), 200, { ETag: etagOf(user.revision) });
  });

  const putUser = createRoute({
    operationId: 'putUserByExternalId',
    ...needs('users:write', 'Users'),
    summary: 'Create or replace a user',
    description: `${replacing} Safe to repeat: a nightly synchronization sends every user.`,
    method: 'put',
    path: USER_BY_EXTERNAL_ID.path,
    request: {
      query: noQuery,
      params: USER_BY_EXTERNAL_ID.params,
      headers: conditions,
      body: requiredBody(UserInput),
    },
    responses: {
      200: { description: 'The replaced user', ...written },
      201: { description: 'The created user', ...created },
      ...problems(400, 409, 412, 413, 415),
    },
  });
  app.openapi(putUser, async (c) => {
    const { externalId } = c.req.valid('param').user;
    const input = c.req.valid('json');
    refuseOther('externalId', input.externalId, externalId);
    const accepted = acceptedBy(c.req.valid('header'), tagsOf);
    const { user, created } = await users.put(externalId, input, accepted);
    const body = writtenUserBody(user, deps);
    const headers = { ETag: etagOf(user.revision) };
    if (!created) return c.json(body, 200, headers);
    return c.json(body, 201, { Location: locationOf(user), ...headers });
  });
}
