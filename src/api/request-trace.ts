import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';

import type { Tracing } from '../observability/tracing.ts';
import type { ApiEnv } from './deps.ts';

/** A span for each request, going on from the caller's if there is one; the route's pattern instead of its path. */
export function requestTrace(tracing: Tracing) {
  return createMiddleware<ApiEnv>((c, next) =>
    tracing.span(
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
    ),
  );
}
