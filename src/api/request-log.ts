import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';

import type { Logger } from '../platform/logger.ts';
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
    logger.info({ ...askedBy(c), ...request }, 'request');
    observeRequest?.(request);
  });
}

/** For what is told while a request is answered: each line says which request it was, and whose key it came with. */
export function loggerOf(c: Context<ApiEnv>, logger: Logger): Logger {
  return logger.child(askedBy(c));
}

function askedBy(c: Context<ApiEnv>) {
  return { requestId: c.get('requestId'), key: c.get('keyName') };
}
