import { once } from 'node:events';
import { type IncomingMessage, Server, type ServerResponse } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';

import { errorCode } from './errors.ts';

/**
 * The host of a request that names none, as HTTP/1.0 allows: no machine's name (RFC 6761), so that
 * health checks are answered, and an API without keys still does not treat it as local.
 */
const UNNAMED = 'unnamed.invalid';
/** Node's own limit for a whole request, which cannot be lifted for some paths only. */
const REQUEST_WITHIN_MS = 300_000;
/** Longer than a batch of an import takes with a slow database. */
const STREAM_MOVES_WITHIN_MS = 120_000;
/** Longer than any response takes; a request that hangs must not delay the stop. */
const FINISH_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

export interface Place {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The name of the port's setting, for the error message. */
  readonly setting: string;
  /** How long a connection is kept without a request. */
  readonly keepAliveMs: number;
  /** Paths of requests and responses that may take any time, as long as data moves. */
  readonly streams?: ReadonlySet<string>;
}

/** An app of Hono's, whatever its environment. */
export interface Served {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
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
export async function listen(app: Served, place: Place) {
  const { host, port, keepAliveMs, streams = new Set() } = place;
  const server = createAdaptorServer({
    hostname: UNNAMED,
    serverOptions: {
      keepAliveTimeout: keepAliveMs,
      // Node counts this from the opening of a connection on which no request has come yet.
      headersTimeout: keepAliveMs + 1_000,
      requestTimeout: 0,
    },
    async fetch(request, env) {
      const response = await app.fetch(request, env);
      // The client must not send another request on a connection that is about to be closed.
      if (!server.listening) response.headers.set('Connection', 'close');
      return response;
    },
  });
  if (!(server instanceof Server)) throw new TypeError('not an HTTP/1.1 server');
  server.prependListener('request', shortenAddress);
  server.on('request', (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    if (streams.has(path)) endUnlessMoving(request, response);
    else endUnlessComplete(request);
  });
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

/** The adapter takes an IPv6 address as Host in its shortest form only. */
function shortenAddress({ headers }: IncomingMessage): void {
  const { host = '' } = headers;
  if (/^\[[\da-f:.]+\](?::\d+)?$/i.test(host) && URL.canParse(`http://${host}`)) {
    headers.host = new URL(`http://${host}`).host;
  }
}

/** A body that trickles in must not hold a connection for ever. */
function endUnlessComplete(request: IncomingMessage): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.socket.destroy(), REQUEST_WITHIN_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
}

/** A client that neither sends nor reads any more, before it has its response, counts as gone. */
function endUnlessMoving({ socket }: IncomingMessage, response: ServerResponse): void {
  let moved = socket.bytesRead + socket.bytesWritten;
  const timer = setInterval(() => {
    const now = socket.bytesRead + socket.bytesWritten;
    if (now === moved) socket.destroy();
    moved = now;
  }, STREAM_MOVES_WITHIN_MS);
  timer.unref();
  response.once('close', () => clearInterval(timer));
}

/** Accepts no more connections, lets open requests end, then closes the rest. */
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
