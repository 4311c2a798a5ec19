import { createRoute } from '@hono/zod-openapi';

import { replaceUser } from '../../users/replace-user.ts';
import { userInput } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { acceptedRevisions, etagHeader, etagOf, ifMatchHeader } from '../etag.ts';
import { problems } from '../problem.ts';
import { noQuery, userBody, userContent, userIdParam } from '../user-schemas.ts';

/** PUT /v1/users/{id} */
export function registerReplaceUser(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'replaceUser',
    ...needs('users:write'),
    tags: ['Users'],
    summary: 'Replace a user, whole',
    description:
      'An optional field that is absent is emptied. A user that does not exist is not created: 404.',
    method: 'put',
    path: '/v1/users/{id}',
    request: {
      query: noQuery,
      params: userIdParam,
      headers: ifMatchHeader,
      body: {
        required: true,
        content: { 'application/json': { schema: userInput(deps).openapi('UserInput') } },
      },
    },
    responses: {
      200: { description: 'The user as replaced', headers: etagHeader, content: userContent },
      ...problems(400, 404, 409, 412, 413, 415),
    },
  });

  app.openapi(route, async (c) => {
    const accepted = acceptedRevisions(c.req.valid('header')['If-Match']);
    const user = await replaceUser(deps, c.req.valid('param').id, c.req.valid('json'), accepted);
    return c.json(userBody(user), 200, { ETag: etagOf(user) });
  });
}
