import { createRoute } from '@hono/zod-openapi';

import { updateUser } from '../../users/update-user.ts';
import { userPatch } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { acceptedRevisions, etagHeader, etagOf, ifMatchHeader } from '../etag.ts';
import { problems } from '../problem.ts';
import { noQuery, userBody, userContent, userIdParam } from '../user-schemas.ts';

/** PATCH /v1/users/{id} */
export function registerUpdateUser(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'updateUser',
    ...needs('users:write'),
    tags: ['Users'],
    summary: 'Change some fields of a user',
    description:
      'Fields that are absent stay as they are. A change of date of birth or time zone moves the next greeting. What changes nothing raises no revision.',
    method: 'patch',
    path: '/v1/users/{id}',
    request: {
      query: noQuery,
      params: userIdParam,
      headers: ifMatchHeader,
      body: {
        required: true,
        content: { 'application/json': { schema: userPatch(deps).openapi('UserPatch') } },
      },
    },
    responses: {
      200: { description: 'The user as changed', headers: etagHeader, content: userContent },
      ...problems(400, 404, 409, 412, 413, 415),
    },
  });

  app.openapi(route, async (c) => {
    const accepted = acceptedRevisions(c.req.valid('header')['If-Match']);
    const user = await updateUser(deps, c.req.valid('param').id, c.req.valid('json'), accepted);
    return c.json(userBody(user), 200, { ETag: etagOf(user) });
  });
}
