import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The highest that the production Temporal server can have: its own table of members keeps
 * ports in a signed 16-bit column. Systems hand out those above.
 */
export const HIGHEST_PORT = 32_767;
const LOWEST_PORT = 10_000;
const TRIES = 1_000;

/** So many ports of this machine that nothing listens on at this moment, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tried = 0; tried < TRIES && found.size < count; tried += 1) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT + 1));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size < count) throw new Error(`There are no ${count} free ports on this machine.`);
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
