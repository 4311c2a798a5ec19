import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { describeError } from './describe-error.ts';
import { listenOn, type RunningServer } from './http-server.ts';
import type { Logger } from './logger.ts';
import type { MetricsSource } from './metrics.ts';

export interface MetricsPlace {
  readonly HOST: string;
  /** Unset: nothing is served. */
  readonly METRICS_PORT?: number | undefined;
}

/**
 * Serves a process's /metrics on METRICS_PORT; does nothing when that is not set.
 *
 * @throws PortUnusableError
 */
export async function serveMetrics(
  source: MetricsSource,
  { HOST: host, METRICS_PORT: port }: MetricsPlace,
  logger: Logger,
): Promise<Pick<RunningServer, 'stop'>> {
  if (port === undefined) return { stop: async () => {} };
  const server = createServer((request, response) => {
    answer(source, request, response).catch((error: unknown) => {
      logger.error({ error: describeError(error) }, 'the metrics could not be told');
      response.writeHead(500).end();
    });
  });
  const running = await listenOn(server, { host, port, setting: 'METRICS_PORT' });
  logger.info({ url: `${running.url}/metrics` }, 'metrics');
  return running;
}

async function answer(
  source: MetricsSource,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path !== '/metrics') {
    response.writeHead(404).end();
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else {
    const body = await source.metrics();
    // To a HEAD, Node sends the headers alone.
    response.writeHead(200, { 'content-type': source.contentType }).end(body);
  }
}
