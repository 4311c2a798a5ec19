import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';

import type { ApiDeps, ApiEnv } from './deps.ts';

/** One line a request, and whoever counts is told: the name of its key, the route's pattern instead of its path, no query, no body. */
export function requestLog({ logger, observeRequest }: Pick<ApiDeps, 'logger' | 'observeRequest'>) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedAt = performance.now();
    await next();
    const request = {
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    };
    logger.info({ requestId: c.get('requestId'), key: c.get('keyName'), ...request }, 'request');
    observeRequest?.(request);
  });
}
