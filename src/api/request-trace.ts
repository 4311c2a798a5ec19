import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';

import type { Tracing } from '../platform/tracing.ts';
import type { ApiDeps, ApiEnv } from './deps.ts';

/**
 * A span for each request, going on from the caller's if there is one; the route's pattern
 * instead of its path. Not for who shows no key where one is needed: strangers would decide what is
 * kept, and what they send would push out everything else.
 */
export function requestTrace(tracing: Tracing, { apiKeys }: Pick<ApiDeps, 'apiKeys'>) {
  return createMiddleware<ApiEnv>((c, next) => {
    if (apiKeys.length > 0 && c.get('keyName') === undefined) return next();
    return tracing.span(
      {
        name: c.req.method,
        kind: 'server',
        parent: c.req.header('traceparent') ?? null,
        attributes: { 'http.request.method': c.req.method },
      },
      async (span) => {
        await next();
        const route = routePath(c, -1);
        const { status } = c.res;
        span.rename(`${c.req.method} ${route}`);
        span.set({
          'http.route': route,
          'http.response.status_code': status,
          'daybell.request_id': c.get('requestId'),
        });
        if (status >= 500) span.fail(String(status));
      },
    );
  });
}
