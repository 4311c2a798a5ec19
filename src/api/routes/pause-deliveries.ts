import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import { PAUSE_REASON_MAX, pauseReasonFault } from '../../ledger/delivery-control.ts';
import { ruled } from '../../users/user-input.ts';
import { needs } from '../access.ts';
import { deliveriesBody, DeliveriesSchema } from '../delivery-schemas.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../request-log.ts';
import { noQuery } from '../user-schemas.ts';

/** POST /v1/deliveries/pause */
export function registerPauseDeliveries(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'pauseDeliveries',
    ...needs('deliveries:write'),
    tags: ['Deliveries'],
    summary: 'Send nothing until resumed',
    description:
      'For all dispatchers, until it is resumed, restarts included. Each hears of it within a quarter of a second as a rule, and within 8 s when the database hardly answers; `waiting.sending` says how many it has in hand. What is on the wire ends. Users, planning and arming go on, and no attempt is used up. Time that is paused counts: an occurrence without any attempt that passes LATE_LIMIT meanwhile is SKIPPED when it is resumed, and `firstTooLateAt` says when that begins; one that was attempted is attempted once more in any case. Paused twice, it keeps the first instant.',
    method: 'post',
    path: '/v1/deliveries/pause',
    request: {
      query: noQuery,
      body: { content: { 'application/json': { schema: PauseSchema } } },
    },
    responses: {
      200: {
        description: 'Paused, since when, and what waits',
        content: { 'application/json': { schema: DeliveriesSchema } },
      },
      ...problems(400, 413, 415),
    },
  });

  app.openapi(route, async (c) => {
    const { reason = null } = c.req.valid('json');
    await deps.deliveries.pause(reason);
    const body = await deliveriesBody(deps.deliveries);
    const paused = { ...body.waiting, pausedSince: body.pausedSince };
    loggerOf(c, deps.logger).warn(paused, 'deliveries paused');
    return c.json(body, 200);
  });
}

const PauseSchema = z
  .strictObject(
    {
      reason: ruled(pauseReasonFault)
        .meta({
          description: 'Who paused it and why, for whoever finds it paused',
          minLength: 1,
          maxLength: PAUSE_REASON_MAX,
          pattern: TEXT_PATTERN,
          example: 'Receiver maintenance until noon (ops, ticket 4711)',
        })
        .nullable()
        .optional(),
    },
    { error: 'must be a JSON object' },
  )
  .openapi('Pause');
