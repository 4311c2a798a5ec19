import { createRoute, z } from '@hono/zod-openapi';

import { createUser } from '../../users/create-user.ts';
import { userInput } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { etagHeader, etagOf } from '../etag.ts';
import { problems } from '../problem.ts';
import { noQuery, userBody, userContent } from '../user-schemas.ts';

const idempotencyKeyHeader = z.object({
  'Idempotency-Key': z
    .string()
    .regex(
      /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/,
      'must have 1 to 255 visible ASCII characters',
    )
    .optional()
    .openapi({
      description:
        'Makes it safe to send the request again: the same key with the same input gets the same answer. Kept for at least a day.',
    }),
});

/** POST /v1/users */
export function registerCreateUser(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'createUser',
    ...needs('users:write'),
    tags: ['Users'],
    summary: 'Create a user',
    description: 'The user is greeted from their next birthday on.',
    method: 'post',
    path: '/v1/users',
    request: {
      query: noQuery,
      headers: idempotencyKeyHeader,
      body: {
        required: true,
        content: { 'application/json': { schema: userInput(deps).openapi('UserInput') } },
      },
    },
    responses: {
      201: {
        description: 'The user as created',
        headers: {
          ...etagHeader,
          Location: { schema: { type: 'string' }, description: 'Where the user is' },
        },
        content: userContent,
      },
      ...problems(400, 409, 413, 415, 422),
    },
  });

  app.openapi(route, async (c) => {
    const key = c.req.valid('header')['Idempotency-Key'] ?? null;
    const user = await createUser(deps, c.req.valid('json'), key);
    return c.json(userBody(user), 201, {
      Location: `/v1/users/${user.id}`,
      ETag: etagOf(user),
    });
  });
}
