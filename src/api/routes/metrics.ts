import { createRoute, z } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { accessProblems } from '../problem.ts';

/** GET /metrics, for Prometheus; not here when metrics have a port of their own. */
export function registerMetrics(app: Api, { metrics }: Pick<ApiDeps, 'metrics'>): void {
  if (metrics === undefined) return;
  const route = createRoute({
    operationId: 'getMetrics',
    ...needs('deliveries:read'),
    tags: ['Operation'],
    summary: 'Metrics of this process and of what is in the database',
    description: 'In the text format of Prometheus. Not here when METRICS_PORT is set.',
    method: 'get',
    path: '/metrics',
    responses: {
      200: {
        description: 'docs/metrics.md lists them',
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
