import { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';

import { describeError } from './errors.ts';
import { listen } from './http-server.ts';
import type { Logger } from './logger.ts';
import type { ReadinessCheck } from './service.ts';

interface ProcessState {
  /** The page, in this format. */
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
  /** /readyz answers 503 while one of them is not ready. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
}

/**
 * Serves a process's /metrics, /healthz and /readyz on METRICS_PORT. No keys: there is nothing
 * personal here, and nothing can be changed.
 *
 * @throws PortUnusableError
 */
export async function serveMetrics(
  { contentType, metrics, readiness }: ProcessState,
  { host, port }: { readonly host: string; readonly port: number },
  logger: Logger,
) {
  const app = new Hono();
  app.use(methodNotAllowed({ app }));
  app.get('/metrics', async (c) => c.body(await metrics(), 200, { 'content-type': contentType }));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const checks = await readiness();
    const ready = checks.every((check) => check.ready);
    return c.json({ ready, checks }, ready ? 200 : 503);
  });
  app.onError((error, c) => {
    logger.error({ error: describeError(error) }, 'cannot answer on the metrics port');
    return c.body(null, 500);
  });
  const running = await listen(app, { host, port, setting: 'METRICS_PORT' });
  logger.info({ url: `${running.url}/metrics` }, 'metrics');
  return running;
}
