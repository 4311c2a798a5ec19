import { createRoute, z } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { accessProblems } from '../problem.ts';

export function registerMetrics(app: Api, { metrics, servesMetrics }: ApiDeps): void {
  if (!servesMetrics) return;
  const route = createRoute({
    operationId: 'getMetrics',
    ...needs('deliveries:read'),
    tags: ['Operation'],
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
