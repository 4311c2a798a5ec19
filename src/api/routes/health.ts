import { createRoute, z } from '@hono/zod-openapi';

import type { Api, ApiDeps } from '../deps.ts';

const ReadinessSchema = z
  .object({
    ready: z.boolean(),
    tzVersion: z.string().openapi({ description: 'Of the tz database in use', example: '2026c' }),
    checks: z.array(
      z.object({ name: z.string(), ready: z.boolean(), detail: z.string().optional() }),
    ),
  })
  .openapi('Readiness');

const readinessContent = { 'application/json': { schema: ReadinessSchema } };

/** GET /healthz and /readyz, for whoever runs the service. */
export function registerHealth(app: Api, deps: ApiDeps): void {
  const healthz = createRoute({
    operationId: 'getHealth',
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
    tags: ['Operation'],
    summary: 'Whether what the service needs is there',
    method: 'get',
    path: '/readyz',
    responses: {
      200: { description: 'All of it is', content: readinessContent },
      503: { description: 'Something is missing', content: readinessContent },
    },
  });
  app.openapi(readyz, async (c) => {
    const checks = [...(await deps.readiness())];
    const ready = checks.every((check) => check.ready);
    const body = { ready, tzVersion: deps.law.version, checks };
    return ready ? c.json(body, 200) : c.json(body, 503);
  });
}
