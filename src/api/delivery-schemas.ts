import { z } from '@hono/zod-openapi';

import type { DeliveryControl } from '../ledger/delivery-control.ts';
import type { Destination } from '../ledger/destination.ts';
import { isoInstant } from '../time/instant.ts';

const instant = z.iso.datetime();

const destinationFields = {
  paused: z.boolean(),
  pausedSince: instant.nullable(),
  // Not nullable(): that would make every SlowDown of the document nullable.
  slowed: z.union([
    z
      .object({
        since: instant,
        until: instant.openapi({ description: 'Nothing is sent before this' }),
        perSecond: z.number().openapi({ description: 'Requests a second after that' }),
      })
      .openapi('SlowDown', {
        description: 'The receiver asked for less (429 or 503). It ends by itself.',
      }),
    z.null(),
  ]),
};

/** How the destination is sent to, for /readyz, which anybody may ask: not who paused it, and why. */
export const DestinationSchema = z.object(destinationFields).openapi('Destination');

/** How the destination is sent to, and what waits. */
export const DeliveriesSchema = z
  .object({
    ...destinationFields,
    pauseReason: z.string().nullable(),
    waiting: z.object({
      due: z.int().openapi({ description: 'Their time has come' }),
      retrying: z.int().openapi({ description: 'Wait for their next attempt' }),
      sending: z.int().openapi({ description: 'Claimed, and being sent' }),
      tooLate: z.int().openapi({
        description:
          'Past LATE_LIMIT without an attempt: they will be SKIPPED, not sent, when their turn comes',
      }),
      firstTooLateAt: instant.nullable().openapi({
        description:
          'When the first of the others passes LATE_LIMIT, if it is not attempted before',
      }),
    }),
  })
  .openapi('Deliveries');

/** Maps the destination to what the API shows of it. */
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

/** What the API answers, whatever was done to deliveries. */
export async function deliveriesBody(
  control: DeliveryControl,
): Promise<z.output<typeof DeliveriesSchema>> {
  const destination = await control.findDestination();
  const { firstTooLateAt, ...counts } = await control.countWaiting();
  return {
    ...destinationBody(destination),
    pauseReason: destination.pauseReason,
    waiting: { ...counts, firstTooLateAt: isoInstant(firstTooLateAt) },
  };
}
