import { createRoute } from '@hono/zod-openapi';

import { getUser } from '../../users/get-user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { etagHeader, etagOf } from '../etag.ts';
import { problems } from '../problem.ts';
import { noQuery, userBody, userContent, userIdParam } from '../user-schemas.ts';

/** GET /v1/users/{id} */
export function registerGetUser(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'getUser',
    ...needs('users:read'),
    tags: ['Users'],
    summary: 'Read a user',
    method: 'get',
    path: '/v1/users/{id}',
    request: { query: noQuery, params: userIdParam },
    responses: {
      200: { description: 'The user', headers: etagHeader, content: userContent },
      ...problems(400, 404),
    },
  });

  app.openapi(route, async (c) => {
    const user = await getUser(deps, c.req.valid('param').id);
    return c.json(userBody(user), 200, { ETag: etagOf(user) });
  });
}
