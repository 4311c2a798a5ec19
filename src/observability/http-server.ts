import { once } from 'node:events';
import type { Server } from 'node:http';

/** Longer than any answer takes; a request that hangs must not hold up the stop. */
const FINISH_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

export interface RunningServer {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Takes no more connections, lets open requests end, then closes what is left. */
  stop(): Promise<void>;
}

export interface Place {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** The setting that the port came from, for whoever has to choose another. */
  readonly setting: string;
}

/** Thrown when the port cannot be listened on; the message says what to do. */
export class PortUnusableError extends Error {
  override readonly name = 'PortUnusableError';
  readonly code = 'port-unusable';
}

/**
 * Gives a server its socket.
 *
 * @throws PortUnusableError
 */
export async function listenOn(server: Server, place: Place): Promise<RunningServer> {
  const { host, port } = place;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw portUnusable(error, place);
  }
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    stop: () => stop(server),
  };
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy when the server closed is idle later, and would stay open.
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_EVERY_MS);
  const hung = setTimeout(() => server.closeAllConnections(), FINISH_WITHIN_MS);
  try {
    await closed;
  } finally {
    clearInterval(idle);
    clearTimeout(hung);
  }
}

function portUnusable(error: unknown, { host, port, setting }: Place): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const why = typeof code === 'string' ? REASONS[code]?.(setting) : undefined;
  if (why === undefined) return error;
  return new PortUnusableError(`Cannot listen on ${host}:${port}: ${why}.`);
}

const REASONS: Readonly<Record<string, (setting: string) => string>> = {
  EADDRINUSE: (setting) => `another program does. Stop it, or set ${setting} to a free port`,
  EACCES: (setting) => `this user may not. Set ${setting} to one above 1023`,
  EADDRNOTAVAIL: () => 'this machine has no such address. Set HOST to one of its own',
  ENOTFOUND: () => 'this host name is not known. Set HOST to an address of this machine',
};
