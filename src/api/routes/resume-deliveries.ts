import { createRoute } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import { deliveriesBody, DeliveriesSchema } from '../delivery-schemas.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../request-log.ts';
import { noQuery } from '../user-schemas.ts';

/** POST /v1/deliveries/resume */
export function registerResumeDeliveries(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'resumeDeliveries',
    ...needs('deliveries:write'),
    tags: ['Deliveries'],
    summary: 'Send again, at once',
    description:
      'Ends a pause, and a slow-down too, if there is one: a receiver that is not ready slows it again. What has waited goes out once, behind what is on time.',
    method: 'post',
    path: '/v1/deliveries/resume',
    request: { query: noQuery },
    responses: {
      200: {
        description: 'Not paused, and what waited at that moment',
        content: { 'application/json': { schema: DeliveriesSchema } },
      },
      ...problems(400),
    },
  });

  app.openapi(route, async (c) => {
    await deps.deliveries.resume();
    const body = await deliveriesBody(deps.deliveries);
    loggerOf(c, deps.logger).warn(body.waiting, 'deliveries resumed');
    return c.json(body, 200);
  });
}
