import { createRoute } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import { deliveriesBody, DeliveriesSchema } from '../delivery-schemas.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { noQuery } from '../user-schemas.ts';

/** GET /v1/deliveries */
export function registerGetDeliveries(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'getDeliveries',
    ...needs('deliveries:read'),
    tags: ['Deliveries'],
    summary: 'Whether deliveries are paused or slowed, and how many wait',
    method: 'get',
    path: '/v1/deliveries',
    request: { query: noQuery },
    responses: {
      200: {
        description: 'How it is now',
        content: { 'application/json': { schema: DeliveriesSchema } },
      },
      ...problems(400),
    },
  });

  app.openapi(route, async (c) => c.json(await deliveriesBody(deps.deliveries), 200));
}
