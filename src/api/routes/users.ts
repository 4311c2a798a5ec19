import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import {
  EXTERNAL_ID_MAX,
  externalIdFault,
  ruled,
  timezoneHint,
  type User,
  userInput,
  userPatch,
} from '../../users/user.ts';
import { needs } from '../access.ts';
import { conditions, type Conditions, isMatch, isNoneMatch } from '../conditions.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import {
  json,
  nextCursor,
  noQuery,
  pageParams,
  requiredBody,
  timezoneParam,
  toBody,
  userIdParam,
  userCursor,
} from '../schemas.ts';

const path = '/v1/users/{id}';

export function registerUsers(app: Api, deps: ApiDeps): void {
  const { users } = deps;
  const UserInput = userInput(deps).openapi('UserInput');
  const writtenBody = (user: User) => {
    const hint = timezoneHint(user.timezone, deps.clock(), deps.tz);
    return { ...userBody(user), ...(hint !== null && { hints: [{ field: 'timezone', hint }] }) };
  };

  const createUser = createRoute({
    operationId: 'createUser',
    ...needs('users:write', 'Users'),
    summary: 'Create a user',
    description: 'The first webhook is sent on the next birthday.',
    method: 'post',
    path: '/v1/users',
    request: { query: noQuery, headers: idempotencyKeyHeader, body: requiredBody(UserInput) },
    responses: {
      201: {
        description: 'The created user',
        headers: {
          ...etagHeader,
          Location: { schema: { type: 'string' }, description: 'The path of the user' },
        },
        content: json(WrittenUserSchema),
      },
      ...problems(400, 409, 413, 415, 422),
    },
  });
  app.openapi(createUser, async (c) => {
    const key = c.req.valid('header')['Idempotency-Key'] ?? null;
    const user = await users.create(c.req.valid('json'), key);
    return c.json(writtenBody(user), 201, {
      Location: `/v1/users/${user.id}`,
      ETag: etagOf(user.revision),
    });
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
    const { limit, cursor = null, externalId = null, timezone = null } = c.req.valid('query');
    const page = await users.list({ limit, after: cursor, externalId, timezone });
    const nextCursor = page.next && userCursor.encode(page.next);
    return c.json({ users: page.users.map(userBody), nextCursor }, 200);
  });

  const getUser = createRoute({
    operationId: 'getUser',
    ...needs('users:read', 'Users'),
    summary: 'Get a user',
    method: 'get',
    path,
    request: { query: noQuery, params: userIdParam, headers: conditions },
    responses: {
      200: { description: 'The user', headers: etagHeader, content: json(UserSchema) },
      304: { description: 'If-None-Match has the current ETag', headers: etagHeader },
      ...problems(400, 404, 412),
    },
  });
  app.openapi(getUser, async (c) => {
    const asked = c.req.valid('header');
    const user = await users.get(c.req.valid('param').id, (revision) =>
      isMatch(asked, etagOf(revision)),
    );
    const headers = { ETag: etagOf(user.revision) };
    if (!isNoneMatch(asked, headers.ETag)) return c.body(null, 304, headers);
    return c.json(userBody(user), 200, headers);
  });

  const updateUser = createRoute({
    operationId: 'updateUser',
    ...needs('users:write', 'Users'),
    summary: 'Update a user',
    description:
      'Absent fields keep their values. A new date of birth or time zone moves the next occurrence. A request that changes nothing leaves the revision as it is.',
    method: 'patch',
    path,
    request: {
      query: noQuery,
      params: userIdParam,
      headers: conditions,
      body: requiredBody(userPatch(deps).openapi('UserPatch')),
    },
    responses: {
      200: {
        description: 'The updated user',
        headers: etagHeader,
        content: json(WrittenUserSchema),
      },
      ...problems(400, 404, 409, 412, 413, 415),
    },
  });
  app.openapi(updateUser, async (c) => {
    const accepted = acceptedBy(c.req.valid('header'));
    const user = await users.update(c.req.valid('param').id, c.req.valid('json'), accepted);
    return c.json(writtenBody(user), 200, { ETag: etagOf(user.revision) });
  });

  const replaceUser = createRoute({
    operationId: 'replaceUser',
    ...needs('users:write', 'Users'),
    summary: 'Replace a user',
    description:
      'Absent optional fields are cleared. A user that does not exist is not created: 404.',
    method: 'put',
    path,
    request: {
      query: noQuery,
      params: userIdParam,
      headers: conditions,
      body: requiredBody(UserInput),
    },
    responses: {
      200: {
        description: 'The replaced user',
        headers: etagHeader,
        content: json(WrittenUserSchema),
      },
      ...problems(400, 404, 409, 412, 413, 415),
    },
  });
  app.openapi(replaceUser, async (c) => {
    const accepted = acceptedBy(c.req.valid('header'));
    const user = await users.update(c.req.valid('param').id, c.req.valid('json'), accepted);
    return c.json(writtenBody(user), 200, { ETag: etagOf(user.revision) });
  });

  const deleteUser = createRoute({
    operationId: 'deleteUser',
    ...needs('users:write', 'Users'),
    summary: 'Delete a user',
    description: 'Nothing more is sent for the user. Ids are never reused.',
    method: 'delete',
    path,
    request: { query: noQuery, params: userIdParam, headers: conditions },
    responses: {
      204: { description: 'The user is deleted' },
      ...problems(400, 404, 412),
    },
  });
  app.openapi(deleteUser, async (c) => {
    const accepted = acceptedBy(c.req.valid('header'));
    await users.delete(c.req.valid('param').id, accepted);
    return c.body(null, 204);
  });
}

const idempotencyKeyHeader = z.object({
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

const UserSchema = z
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

const WrittenUserSchema = UserSchema.extend({
  hints: z
    .array(
      z.object({
        field: z.string().openapi({ example: 'timezone' }),
        hint: z.string().openapi({ example: 'has no daylight saving time' }),
      }),
    )
    .optional()
    .describe('What was accepted, and may not be what was meant'),
}).openapi('WrittenUser');

const userBody = (user: User) => toBody(UserSchema, user);

const etagHeader = {
  ETag: {
    schema: { type: 'string' as const },
    description: 'Changes with every change of the user',
  },
};

/** Ids are never reused, so the revision is enough. */
function etagOf(revision: number | null): string {
  return `"${revision}"`;
}

/** Which revisions a change is asked for. */
function acceptedBy(asked: Conditions) {
  return (revision: number | null): boolean =>
    isMatch(asked, etagOf(revision)) && isNoneMatch(asked, etagOf(revision));
}
