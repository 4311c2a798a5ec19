import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import { listUsers } from '../../users/list-users.ts';
import { EXTERNAL_ID_MAX, externalIdFault } from '../../users/rules.ts';
import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import { decodeUserPlace, encodeUserPlace } from '../cursor.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { limitParam } from '../limit-param.ts';
import { problems } from '../problem.ts';
import { userBody, UserSchema } from '../user-schemas.ts';

/** GET /v1/users */
export function registerListUsers(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'listUsers',
    ...needs('users:read'),
    tags: ['Users'],
    summary: 'List users',
    description:
      'In order of creation, a page at a time. A page can be shorter than asked for, and another follow it: go by `nextCursor`.',
    method: 'get',
    path: '/v1/users',
    request: {
      query: z.strictObject({
        limit: limitParam(50),
        cursor: ruled((cursor) =>
          decodeUserPlace(cursor) === null ? 'must be a nextCursor' : null,
        )
          .optional()
          .openapi({ description: 'The nextCursor of the page before' }),
        externalId: ruled(externalIdFault)
          .optional()
          .openapi({ minLength: 1, maxLength: EXTERNAL_ID_MAX, pattern: TEXT_PATTERN }),
        timezone: z
          .string()
          .regex(/^[\w+/-]{1,64}$/, 'must be the name of a time zone')
          .optional()
          .openapi({ description: 'As it was sent: a link is not its target' }),
      }),
    },
    responses: {
      200: {
        description: 'A page of users',
        content: {
          'application/json': {
            schema: z
              .object({
                users: z.array(UserSchema),
                nextCursor: z.string().nullable().openapi({ description: 'Null on the last page' }),
              })
              .openapi('UserPage'),
          },
        },
      },
      ...problems(400),
    },
  });

  app.openapi(route, async (c) => {
    const { limit, cursor, externalId = null, timezone = null } = c.req.valid('query');
    const after = cursor === undefined ? null : decodeUserPlace(cursor);
    const { users, next } = await listUsers(deps, { limit, after, externalId, timezone });
    const nextCursor = next === null ? null : encodeUserPlace(next);
    return c.json({ users: users.map(userBody), nextCursor }, 200);
  });
}
