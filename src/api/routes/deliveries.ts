import { createRoute, z } from '@hono/zod-openapi';

import { TEXT_PATTERN } from '../../platform/text.ts';
import {
  type DestinationState,
  NOTHING_WAITS,
  PAUSE_REASON_MAX,
  pauseReasonFault,
  type WaitingDeliveries,
} from '../../ledger/delivery-control.ts';
import type { Destination } from '../../ledger/destination.ts';
import { ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import { emptyIsNoBody } from '../body.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { isoInstant } from '../../time/instant.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { destinationParam, json } from '../schemas/common.ts';

export function registerDeliveries(
  app: Api,
  { deliveries, secretFingerprints, logger }: ApiDeps,
): void {
  const readState = async (destination: string | null) => {
    const found = await deliveries.findDestinations(destination);
    const { all, each } = await deliveries.countWaiting(destination);
    return {
      ...togetherBody(found),
      pauseReason: pausedLast(found)?.pauseReason ?? null,
      waiting: waitingBody(all),
      destinations: found.map((one) =>
        stateBody(one, each.get(one.id) ?? NOTHING_WAITS, secretFingerprints.get(one.id) ?? []),
      ),
    };
  };

  const get = createRoute({
    operationId: 'getDeliveries',
    ...needs('deliveries:read', 'Deliveries'),
    summary: 'Get the state of deliveries',
    description:
      'Whether they are paused or slowed down, and how many occurrences wait: in total and for each destination.',
    method: 'get',
    path: '/v1/deliveries',
    request: { query: destinationQuery },
    responses: {
      200: { description: 'The current state', content: json(DeliveriesSchema) },
      ...problems(400, 404),
    },
  });
  app.openapi(get, async (c) => {
    const { destination = null } = c.req.valid('query');
    return c.json(await readState(destination), 200);
  });

  const pause = createRoute({
    operationId: 'pauseDeliveries',
    ...needs('deliveries:write', 'Deliveries'),
    ...LOGGED,
    summary: 'Pause deliveries',
    description:
      'To all destinations, or to one, until they are resumed, also across restarts. Senders usually notice within a quarter of a second, and within 8 s if the database hardly responds; requests in flight are completed, and `waiting.sending` counts them. Users are still created, changed and planned, and no attempt is used up. Paused time counts towards LATE_LIMIT: an occurrence without an attempt that passes it is SKIPPED after the resume, and `firstTooLateAt` says when that begins; one that was attempted is attempted at least once more. Pausing again keeps the first instant.',
    method: 'post',
    path: '/v1/deliveries/pause',
    middleware: emptyIsNoBody,
    request: { query: destinationQuery, body: { content: json(PauseSchema) } },
    responses: {
      200: { description: 'Paused: since when, and what waits', content: json(DeliveriesSchema) },
      ...problems(400, 404, 413, 415),
    },
  });
  app.openapi(pause, async (c) => {
    const { reason = null } = c.req.valid('json');
    const { destination = null } = c.req.valid('query');
    await noteOperation(c, { reason });
    await deliveries.pause(reason, destination);
    const body = await readState(destination);
    const paused = { destination, ...body.waiting, pausedSince: body.pausedSince };
    await noteOperation(c, { waiting: body.waiting });
    loggerOf(c, logger).warn(paused, 'deliveries paused');
    return c.json(body, 200);
  });

  const resume = createRoute({
    operationId: 'resumeDeliveries',
    ...needs('deliveries:write', 'Deliveries'),
    ...LOGGED,
    summary: 'Resume deliveries',
    description:
      'Ends a pause, and a slow-down too: a receiver that is not ready will ask for one again. What has waited is sent once, behind what is on time.',
    method: 'post',
    path: '/v1/deliveries/resume',
    request: { query: destinationQuery },
    responses: {
      200: {
        description: 'Resumed, and what waited at that moment',
        content: json(DeliveriesSchema),
      },
      ...problems(400, 404),
    },
  });
  app.openapi(resume, async (c) => {
    const { destination = null } = c.req.valid('query');
    await deliveries.resume(destination);
    const body = await readState(destination);
    await noteOperation(c, { waiting: body.waiting });
    loggerOf(c, logger).warn({ destination, ...body.waiting }, 'deliveries resumed');
    return c.json(body, 200);
  });
}

const destinationQuery = z.strictObject({ destination: destinationParam });

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

/** For /readyz, which is open: omits who paused, and why. */
export const DestinationSchema = z.object(destinationFields).openapi('Destination');

const waitingSchema = z.object({
  due: z.int().describe('Due and not yet claimed'),
  retrying: z.int().describe('Waiting for their next attempt'),
  sending: z.int().describe('Claimed, and being sent'),
  tooLate: z
    .int()
    .describe('Past the late limit of their types without an attempt: will be SKIPPED, not sent'),
  firstTooLateAt: instant
    .nullable()
    .describe('When the first of the others passes its late limit, unless it is attempted before'),
});

export const DeliveriesSchema = z
  .object({
    ...destinationFields,
    paused: z.boolean().describe('Whether all of the destinations are'),
    pauseReason: z.string().nullable(),
    waiting: waitingSchema,
    destinations: z.array(
      z.object({
        destination: z.string().openapi({ example: 'default' }),
        dispatchers: z
          .int()
          .describe(
            'Dispatchers that are alive and send to it. With none, workflows send, unless the workers lack its settings too',
          ),
        ...destinationFields,
        pauseReason: z.string().nullable(),
        maxPerSecond: z
          .number()
          .nullable()
          .describe('Requests a second, all processes together; null for no limit'),
        secrets: z.array(z.string().openapi({ example: '3f1c9a02' })).openapi({
          description:
            'The first 8 hexadecimal digits of the SHA-256 of each secret that signs for it, the newest first, by the settings of the API process. Empty if that process does not have the settings of the destination',
        }),
        waiting: waitingSchema,
      }),
    ),
  })
  .openapi('Deliveries');

/** All destinations combined: paused if all are, since the last was; slowed if any is. */
export function togetherBody(found: readonly Destination[]): z.output<typeof DestinationSchema> {
  const slowed = found.find(({ slowDown }) => slowDown !== null);
  return {
    ...destinationBody({ pausedAt: null, slowDown: slowed?.slowDown ?? null }),
    paused: pausedLast(found) !== null,
    pausedSince: isoInstant(pausedLast(found)?.pausedAt ?? null),
  };
}

/** Of destinations that are all paused, the one that was paused last; else null. */
function pausedLast(found: readonly Destination[]): Destination | null {
  if (found.some(({ pausedAt }) => pausedAt === null)) return null;
  return found.toSorted((a, b) => (b.pausedAt ?? 0) - (a.pausedAt ?? 0))[0] ?? null;
}

function stateBody(one: DestinationState, waiting: WaitingDeliveries, secrets: readonly string[]) {
  return {
    destination: one.id,
    dispatchers: one.dispatchers,
    ...destinationBody(one),
    pauseReason: one.pauseReason,
    maxPerSecond: one.maxPerSecond,
    waiting: waitingBody(waiting),
    secrets: [...secrets],
  };
}

function destinationBody({ pausedAt, slowDown }: Pick<Destination, 'pausedAt' | 'slowDown'>) {
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

function waitingBody({ firstTooLateAt, ...counts }: WaitingDeliveries) {
  return { ...counts, firstTooLateAt: isoInstant(firstTooLateAt) };
}
