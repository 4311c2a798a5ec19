import { once } from 'node:events';
import { Server } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

import { errorCode } from './errors.ts';

/** Longer than any answer takes; a request that hangs must not hold up the stop. */
const FINISH_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

export interface Place {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The setting of the port, for the error message. */
  readonly setting: string;
}

/** Thrown when the port cannot be listened on; the message says what to do. */
export class PortUnusableError extends Error {
  override readonly name = 'PortUnusableError';
  readonly code = 'port-unusable';
}

/**
 * Serves an app on a socket.
 *
 * @throws PortUnusableError
 */
export async function listen(app: Pick<Hono, 'fetch'>, place: Place) {
  const { host, port } = place;
  const server = createAdaptorServer({ fetch: app.fetch });
  if (!(server instanceof Server)) throw new TypeError('not an HTTP/1.1 server');
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw portUnusable(error, place);
  }
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    /** Such as `http://127.0.0.1:3000`. */
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    stop: () => stop(server),
  };
}

/** Takes no more connections, lets open requests end, then closes what is left. */
async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy when the server closed becomes idle later, and would stay open.
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_EVERY_MS);
  const hung = setTimeout(() => server.closeAllConnections(), FINISH_WITHIN_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(hung);
}

function portUnusable(error: unknown, { host, port, setting }: Place): unknown {
  const why = REASONS[errorCode(error)]?.(setting);
  if (why === undefined) return error;
  return new PortUnusableError(`Cannot listen on ${host}:${port}: ${why}.`);
}

const REASONS: Readonly<Record<string, (setting: string) => string>> = {
  EADDRINUSE: (setting) => `another program does. Stop it, or set ${setting} to a free port`,
  EACCES: (setting) => `this user is not allowed to. Set ${setting} to a port above 1023`,
  EADDRNOTAVAIL: () => 'this machine has no such address. Set HOST to one that it has',
  ENOTFOUND: () => 'the host name is unknown. Set HOST to an address of this machine',
};
