/** What is recorded of every request: a log line, a duration, and a span when traces are on. */
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { matchedRoutes, routePath } from 'hono/route';
import { Histogram } from 'prom-client';

import type { Logger } from '../platform/logger.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { ApiDeps, ApiEnv } from './deps.ts';

/** 0.05 is the target; 0.15 and 0.2 are for alerts. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2.5, 5, 10];
/** A client can send any method that Node knows, and each would be a series. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Polled every few seconds: their lines would hide all others. Changes of readiness are logged. */
const ROUTINE = new Set(['/healthz', '/readyz', '/metrics', '/v1/status']);

/**
 * One line and one observation for each request: the route's pattern, never its path, query or
 * body.
 */
export function recordRequests({
  logger,
  metrics,
  requests,
}: Pick<ApiDeps, 'logger' | 'metrics' | 'requests'>) {
  const duration = new Histogram({
    name: 'daybell_http_request_duration_seconds',
    help: 'From the first line of a request to the first line of the response.',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS,
    registers: [metrics],
  });
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedAt = performance.now();
    const end = isWatched(c.req.path) ? requests?.begin() : undefined;
    await next();
    end?.();
    const elapsedMs = performance.now() - startedAt;
    const { method } = c.req;
    const request = { method, route: routeOf(c), status: c.res.status };
    const durationMs = Math.round(elapsedMs * 10) / 10;
    const isOften = ROUTINE.has(request.route) || isOfConsole(c) || isByConsoleScript(c);
    const isRoutine = isOften && (c.res.ok || c.res.status === 503);
    logger[isRoutine ? 'debug' : 'info']({ ...identify(c), ...request, durationMs }, 'request');
    const labels = { ...request, method: METHODS.has(method) ? method : 'other' };
    duration.observe(labels, elapsedMs / 1000);
  });
}

/** Only users and their occasions: other requests may take long by themselves. */
function isWatched(path: string): boolean {
  return path.startsWith('/v1/users');
}

/**
 * The pattern of the route that answers; for a console page, middleware of the API comes after it.
 */
function routeOf(c: Context<ApiEnv>): string {
  return matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? routePath(c, -1);
}

/** Made by a console page, which has a log line of its own. */
function isOfConsole(c: Context<ApiEnv>): boolean {
  // Without a server around the app there is no env at all.
  return (c.env as ApiEnv['Bindings'] | undefined)?.console !== undefined;
}

/** A page that refreshes itself, or a search as one types. */
function isByConsoleScript(c: Context<ApiEnv>): boolean {
  const { method, path } = c.req;
  const isScript = c.req.header('Sec-Fetch-Dest') === 'empty';
  return isScript && method === 'GET' && /^\/console(?:\/|$)/.test(path);
}

/** A logger whose lines name the request and its key. */
export function loggerOf(c: Context<ApiEnv>, logger: Logger): Logger {
  return logger.child(identify(c));
}

function identify(c: Context<ApiEnv>) {
  return { requestId: c.get('requestId'), key: c.get('keyName') };
}

/**
 * A span for each request, continuing the caller's trace. Requests that lack a required key get
 * none: strangers must not decide what is kept, nor crowd out everything else.
 */
export function traceRequests(tracing: Tracing, { apiKeys }: Pick<ApiDeps, 'apiKeys'>) {
  return createMiddleware<ApiEnv>((c, next) => {
    if (apiKeys.length > 0 && c.get('keyName') === undefined) return next();
    const { method } = c.req;
    return tracing.span(
      {
        name: method,
        kind: 'server',
        parent: c.req.header('traceparent') ?? null,
        attributes: { 'http.request.method': method },
      },
      async (span) => {
        await next();
        const route = routeOf(c);
        const { status } = c.res;
        span.rename(`${method} ${route}`);
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
