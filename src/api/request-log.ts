import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';

import type { ApiDeps, ApiEnv } from './deps.ts';

/** One line a request: the route's pattern instead of its path, no query, no body. */
export function requestLog({ logger }: Pick<ApiDeps, 'logger'>) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedAt = performance.now();
    await next();
    logger.info(
      {
        requestId: c.get('requestId'),
        method: c.req.method,
        route: routePath(c, -1),
        status: c.res.status,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
      },
      'request',
    );
  });
}
