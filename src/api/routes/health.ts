import { createRoute, z } from '@hono/zod-openapi';

import { shared, withinLimit } from '../../platform/async.ts';
import type { ReadinessCheck } from '../../platform/service.ts';
import { OPEN } from '../access.ts';
import { destinationBody, DestinationSchema } from '../delivery-schemas.ts';
import type { Api, ApiDeps } from '../deps.ts';

const ReadinessSchema = z
  .object({
    ready: z.boolean(),
    tzVersion: z.string().openapi({ description: 'Of the tz database in use', example: '2026c' }),
    checks: z.array(
      z.object({ name: z.string(), ready: z.boolean(), detail: z.string().optional() }),
    ),
    deliveries: z.union([DestinationSchema, z.null()]).openapi({
      description:
        'For information: paused or slowed, the service is ready all the same. Null when the database cannot say.',
    }),
  })
  .openapi('Readiness');

const readinessContent = { 'application/json': { schema: ReadinessSchema } };

/** GET /healthz and /readyz, for whoever runs the service. */
export function registerHealth(app: Api, deps: ApiDeps): void {
  const healthz = createRoute({
    operationId: 'getHealth',
    ...OPEN,
    tags: ['Operation'],
    summary: 'Whether the process lives',
    method: 'get',
    path: '/healthz',
    responses: {
      200: {
        description: 'It lives',
        content: {
          'application/json': { schema: z.object({ status: z.literal('ok') }).openapi('Health') },
        },
      },
    },
  });
  app.openapi(healthz, (c) => c.json({ status: 'ok' as const }, 200));

  const readyz = createRoute({
    operationId: 'getReadiness',
    ...OPEN,
    tags: ['Operation'],
    summary: 'Whether what the service needs is there',
    method: 'get',
    path: '/readyz',
    responses: {
      200: { description: 'All of it is', content: readinessContent },
      503: { description: 'Something is missing', content: readinessContent },
    },
  });
  // Open and without a limit: however many ask, the database is asked once at a time.
  const look = shared(async () => {
    const checks = [...(await deps.readiness())];
    const ready = checks.every((check) => check.ready);
    const deliveries = await findDeliveries(deps, checks);
    return { ready, tzVersion: deps.tz.version, checks, deliveries };
  });
  app.openapi(readyz, async (c) => {
    const body = await look();
    return body.ready ? c.json(body, 200) : c.json(body, 503);
  });
}

/** All who ask meanwhile wait for the same look. */
const DESTINATION_WITHIN_MS = 3_000;
const DATABASE_CHECKS = new Set(['database', 'migrations']);

/** Not asked of a database that is known not to answer: that would take its time. */
async function findDeliveries({ deliveries }: ApiDeps, checks: readonly ReadinessCheck[]) {
  if (checks.some(({ name, ready }) => !ready && DATABASE_CHECKS.has(name))) return null;
  const destination = withinLimit(deliveries.findDestination(), DESTINATION_WITHIN_MS);
  return destination.then(destinationBody, () => null);
}
