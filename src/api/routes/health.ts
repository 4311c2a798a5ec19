import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';

import { shared, withinLimit } from '../../platform/async.ts';
import type { ReadinessCheck } from '../../platform/probes.ts';
import { needs, OPEN } from '../access.ts';
import type { Api, ApiDeps, ApiEnv } from '../deps.ts';
import { accessProblems } from '../problem.ts';
import { json } from '../schemas/common.ts';
import { DestinationSchema, togetherBody } from './deliveries.ts';

const tags = ['Operation'];

export function registerHealth(app: Api, deps: ApiDeps): void {
  const healthz = createRoute({
    operationId: 'getHealth',
    ...OPEN,
    tags,
    summary: 'Liveness: the process responds',
    method: 'get',
    path: '/healthz',
    responses: {
      200: {
        description: 'Alive',
        content: json(z.object({ status: z.literal('ok') }).openapi('Health')),
      },
    },
  });
  app.openapi(healthz, answerHealth);
  app.use('/healthz', forOptions(answerHealth));

  const readyz = createRoute({
    operationId: 'getReadiness',
    ...OPEN,
    tags,
    summary: 'Readiness: everything that the service needs is there',
    method: 'get',
    path: '/readyz',
    responses: {
      200: { description: 'Ready', content: json(ReadinessSchema) },
      503: { description: 'Not ready: a check failed', content: json(ReadinessSchema) },
    },
  });
  // Open and without a limit: concurrent requests share one check of the database.
  const look = shared(async () => {
    const { ready, checks } = await deps.readiness();
    const deliveries = await findDeliveries(deps, checks);
    return { ready, tzVersion: deps.tz.version, checks: [...checks], deliveries };
  });
  const answerReadiness = async (c: Context<ApiEnv>) => {
    const body = await look();
    return body.ready ? c.json(body, 200) : c.json(body, 503);
  };
  app.openapi(readyz, answerReadiness);
  app.use('/readyz', forOptions(answerReadiness));
  if (deps.servesMetrics) registerMetrics(app, deps);
}

function answerHealth(c: Context<ApiEnv>) {
  return c.json({ status: 'ok' as const }, 200);
}

/** HAProxy checks with OPTIONS unless configured otherwise. It is not in the OpenAPI document. */
function forOptions(answer: (c: Context<ApiEnv>) => Response | Promise<Response>) {
  return createMiddleware<ApiEnv>(async (c, next) =>
    c.req.method === 'OPTIONS' ? answer(c) : next(),
  );
}

function registerMetrics(app: Api, { metrics }: ApiDeps): void {
  const route = createRoute({
    operationId: 'getMetrics',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Metrics for Prometheus',
    description:
      'Of this process and of the database; docs/metrics.md lists them. Served on a port of their own if METRICS_PORT is set.',
    method: 'get',
    path: '/metrics',
    responses: {
      200: {
        description: "In Prometheus' text format",
        content: { 'text/plain': { schema: z.string() } },
      },
      ...accessProblems,
    },
  });
  app.openapi(route, async (c) => {
    const page = await metrics.metrics();
    return c.text(page, 200, { 'Content-Type': metrics.contentType });
  });
}

const ReadinessSchema = z
  .object({
    ready: z.boolean(),
    tzVersion: z.string().openapi({ description: 'The tz database in use', example: '2026c' }),
    checks: z.array(
      z.object({ name: z.string(), ready: z.boolean(), detail: z.string().optional() }),
    ),
    deliveries: z
      .union([DestinationSchema, z.null()])
      .describe(
        'For information: a service that is paused or slowed down is still ready. Null if the database does not answer.',
      ),
  })
  .openapi('Readiness');

/** Concurrent requests wait for the same check, so it must not take long. */
const DESTINATION_WITHIN_MS = 3_000;
const DATABASE_CHECKS = new Set(['database', 'migrations']);

/** Skipped if the database is known to be down: the query would only cost time. */
async function findDeliveries({ deliveries }: ApiDeps, checks: readonly ReadinessCheck[]) {
  if (checks.some(({ name, ready }) => !ready && DATABASE_CHECKS.has(name))) return null;
  const destinations = withinLimit(deliveries.findDestinations(), DESTINATION_WITHIN_MS);
  return destinations.then(togetherBody, () => null);
}
