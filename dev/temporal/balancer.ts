/**
 * One address in front of the frontends of a Temporal cluster, which survives the loss of any of
 * them; in production, a load balancer or a Kubernetes Service.
 *
 * Clients cannot do this by themselves: the SDK accepts one host and port (no list, no gRPC target
 * such as `ipv4:…,…`), and its native part, which workers use, balances over the addresses of one
 * name, with one port. Connections, not calls, are spread: a client whose frontend dies reconnects,
 * and a frontend ends each connection after five minutes, so that one that has returned gets its
 * share.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

const LOOPBACK = '127.0.0.1';

/**
 * Listens on a port of this machine, a free one for 0, and connects each client to the next
 * frontend, in turn, that accepts it.
 */
export async function startBalancer(port: number, frontends: readonly number[]) {
  const sockets = new Set<Socket>();
  let turn = 0;

  const server = createServer({ noDelay: true }, (client) => {
    sockets.add(client.on('close', () => sockets.delete(client)));
    client.on('error', () => {});
    turn = (turn + 1) % frontends.length;
    connectTo(client, [...frontends.slice(turn), ...frontends.slice(0, turn)]);
  });
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Connects to the first frontend that accepts; ends the client's connection if none does. */
function connectTo(client: Socket, [port, ...others]: readonly number[]): void {
  if (port === undefined) return void client.destroy();
  const frontend = connect({ host: LOOPBACK, port, noDelay: true });
  let isConnected = false;
  frontend.on('connect', () => {
    isConnected = true;
    client.pipe(frontend).pipe(client);
  });
  // Whichever end closes takes the other along.
  client.on('close', () => frontend.destroy());
  frontend.on('error', () => {});
  frontend.on('close', () => {
    if (isConnected || client.destroyed) client.destroy();
    else connectTo(client, others);
  });
}
