import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import { PAUSE_REASON_MAX, pauseReasonFault } from '../../ledger/delivery-control.ts';
import type { Destination } from '../../ledger/destination.ts';
import { ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import { emptyIsNoBody } from '../body.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { isoInstant } from '../../time/instant.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, noQuery } from '../schemas.ts';

export function registerDeliveries(app: Api, { deliveries, logger }: ApiDeps): void {
  const readState = async () => {
    const destination = await deliveries.findDestination();
    const { firstTooLateAt, ...counts } = await deliveries.countWaiting();
    return {
      ...destinationBody(destination),
      pauseReason: destination.pauseReason,
      waiting: { ...counts, firstTooLateAt: isoInstant(firstTooLateAt) },
    };
  };

  const get = createRoute({
    operationId: 'getDeliveries',
    ...needs('deliveries:read', 'Deliveries'),
    summary: 'Get the state of deliveries',
    description: 'Whether they are paused or slowed down, and how many wait.',
    method: 'get',
    path: '/v1/deliveries',
    request: { query: noQuery },
    responses: {
      200: { description: 'The current state', content: json(DeliveriesSchema) },
      ...problems(400),
    },
  });
  app.openapi(get, async (c) => c.json(await readState(), 200));

  const pause = createRoute({
    operationId: 'pauseDeliveries',
    ...needs('deliveries:write', 'Deliveries'),
    summary: 'Pause all deliveries',
    description:
      'Until they are resumed, also across restarts. Senders usually notice within a quarter of a second, and within 8 s if the database hardly responds; requests in flight are completed, and `waiting.sending` counts them. Users are still created, changed and planned, and no attempt is used up. Paused time counts towards LATE_LIMIT: an occurrence without an attempt that passes it is SKIPPED after the resume, and `firstTooLateAt` says when that begins; one that was attempted is attempted at least once more. Pausing again keeps the first instant.',
    method: 'post',
    path: '/v1/deliveries/pause',
    middleware: emptyIsNoBody,
    request: { query: noQuery, body: { content: json(PauseSchema) } },
    responses: {
      200: { description: 'Paused: since when, and what waits', content: json(DeliveriesSchema) },
      ...problems(400, 413, 415),
    },
  });
  app.openapi(pause, async (c) => {
    const { reason = null } = c.req.valid('json');
    await deliveries.pause(reason);
    const body = await readState();
    const paused = { ...body.waiting, pausedSince: body.pausedSince };
    loggerOf(c, logger).warn(paused, 'deliveries paused');
    return c.json(body, 200);
  });

  const resume = createRoute({
    operationId: 'resumeDeliveries',
    ...needs('deliveries:write', 'Deliveries'),
    summary: 'Resume deliveries',
    description:
      'Ends a pause, and a slow-down too: a receiver that is not ready will ask for one again. What has waited is sent once, behind what is on time.',
    method: 'post',
    path: '/v1/deliveries/resume',
    request: { query: noQuery },
    responses: {
      200: {
        description: 'Resumed, and what waited at that moment',
        content: json(DeliveriesSchema),
      },
      ...problems(400),
    },
  });
  app.openapi(resume, async (c) => {
    await deliveries.resume();
    const body = await readState();
    loggerOf(c, logger).warn(body.waiting, 'deliveries resumed');
    return c.json(body, 200);
  });
}

const PauseSchema = z
  .strictObject({
    reason: ruled(pauseReasonFault)
      .meta({
        description: 'Who paused and why, for others who find deliveries paused',
        minLength: 1,
        maxLength: PAUSE_REASON_MAX,
        pattern: TEXT_PATTERN,
        example: 'Receiver maintenance until noon (ops, ticket 4711)',
      })
      .nullable()
      .optional(),
  })
  .openapi('Pause');

const instant = z.iso.datetime();

const destinationFields = {
  paused: z.boolean(),
  pausedSince: instant.nullable(),
  // Not nullable(): that would make every SlowDown of the document nullable.
  slowed: z.union([
    z
      .object({
        since: instant,
        until: instant.describe('Nothing is sent before this'),
        perSecond: z.number().describe('Requests a second after that'),
      })
      .openapi('SlowDown', {
        description: 'Backpressure: the receiver answered 429 or 503. It ends by itself.',
      }),
    z.null(),
  ]),
};

/** For /readyz, which is open: without who paused, and why. */
export const DestinationSchema = z.object(destinationFields).openapi('Destination');

const DeliveriesSchema = z
  .object({
    ...destinationFields,
    pauseReason: z.string().nullable(),
    waiting: z.object({
      due: z.int().describe('Due and not yet claimed'),
      retrying: z.int().describe('Waiting for their next attempt'),
      sending: z.int().describe('Claimed, and being sent'),
      tooLate: z.int().describe('Past LATE_LIMIT without an attempt: will be SKIPPED, not sent'),
      firstTooLateAt: instant
        .nullable()
        .describe('When the first of the others passes LATE_LIMIT, unless it is attempted before'),
    }),
  })
  .openapi('Deliveries');

export function destinationBody(destination: Destination): z.output<typeof DestinationSchema> {
  const { pausedAt, slowDown } = destination;
  return {
    paused: pausedAt !== null,
    pausedSince: isoInstant(pausedAt),
    slowed: slowDown && {
      since: new Date(slowDown.since).toISOString(),
      until: new Date(slowDown.until).toISOString(),
      perSecond: Math.round(slowDown.perSecond * 10) / 10,
    },
  };
}
