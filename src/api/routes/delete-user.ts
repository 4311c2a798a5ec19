import { createRoute } from '@hono/zod-openapi';

import { deleteUser } from '../../users/delete-user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { acceptedRevisions, ifMatchHeader } from '../etag.ts';
import { problems } from '../problem.ts';
import { noQuery, userIdParam } from '../user-schemas.ts';

/** DELETE /v1/users/{id} */
export function registerDeleteUser(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'deleteUser',
    ...needs('users:write'),
    tags: ['Users'],
    summary: 'Delete a user',
    description: 'Nothing is sent for the user any more. The id is never given again.',
    method: 'delete',
    path: '/v1/users/{id}',
    request: { query: noQuery, params: userIdParam, headers: ifMatchHeader },
    responses: {
      204: { description: 'The user is gone' },
      ...problems(400, 404, 412),
    },
  });

  app.openapi(route, async (c) => {
    const accepted = acceptedRevisions(c.req.valid('header')['If-Match']);
    await deleteUser(deps, c.req.valid('param').id, accepted);
    return c.body(null, 204);
  });
}
