import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { describeError } from './describe-error.ts';
import { listenOn, type RunningServer } from './http-server.ts';
import type { Logger } from './logger.ts';
import type { MetricsSource } from './metrics.ts';
import type { ReadinessCheck } from './service.ts';

/** What a process tells on its own port. */
export interface ProcessState {
  readonly metrics: MetricsSource;
  /** All that it needs: /readyz answers 503 while one is not there. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
}

export interface MetricsPlace {
  readonly HOST: string;
  /** Unset: nothing is served. */
  readonly METRICS_PORT?: number | undefined;
}

/**
 * Serves a process's /metrics, /healthz and /readyz on METRICS_PORT; does nothing when that is
 * not set. It takes no keys: nothing here is about anybody, and nothing can be done.
 *
 * @throws PortUnusableError
 */
export async function serveMetrics(
  state: ProcessState,
  { HOST: host, METRICS_PORT: port }: MetricsPlace,
  logger: Logger,
): Promise<Pick<RunningServer, 'stop'>> {
  if (port === undefined) return { stop: async () => {} };
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => {
      logger.error({ error: describeError(error) }, 'the process could not tell of itself');
      response.writeHead(500).end();
    });
  });
  const running = await listenOn(server, { host, port, setting: 'METRICS_PORT' });
  logger.info({ url: `${running.url}/metrics` }, 'metrics');
  return running;
}

async function answer(
  state: ProcessState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?');
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (page === undefined) {
    response.writeHead(404).end();
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else {
    const { status, type, body } = await page(state);
    // To a HEAD, Node sends the headers alone.
    response.writeHead(status, { 'content-type': type }).end(body);
  }
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const PAGES: Readonly<Record<string, (state: ProcessState) => Promise<Page>>> = {
  '/metrics': async ({ metrics }) => ({
    status: 200,
    type: metrics.contentType,
    body: await metrics.metrics(),
  }),
  '/healthz': async () => json(200, { status: 'ok' }),
  '/readyz': async ({ readiness }) => {
    const checks = await readiness();
    const ready = checks.every((check) => check.ready);
    return json(ready ? 200 : 503, { ready, checks });
  },
};

function json(status: number, body: object): Page {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}
