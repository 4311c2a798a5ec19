import { Server } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';

import { listenOn, type RunningServer } from '../observability/http-server.ts';
import type { Api } from './deps.ts';

/**
 * Gives an app a socket.
 *
 * @throws PortUnusableError
 */
export async function listen(
  app: Pick<Api, 'fetch'>,
  { host, port }: { host: string; port: number },
): Promise<RunningServer> {
  const server = createAdaptorServer({ fetch: app.fetch });
  if (!(server instanceof Server)) throw new TypeError('not a server of HTTP/1.1');
  return listenOn(server, { host, port, setting: 'PORT' });
}
