/** A TCP proxy between two processes, which can be cut, slowed and closed. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Link {
  readonly name: string;
  readonly port: number;
  /** Breaks open connections, in the middle of whatever they carry; returns how many there were. */
  cut(): number;
  /** Delays every byte by this many ms; 0 for none. */
  delay(ms: number): void;
  /** Cuts, and accepts no connection, until it is opened. */
  shut(): void;
  open(): void;
  close(): void;
}

export async function startLink(name: string, targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let isShut = false;

  const forward = (from: Socket, to: Socket): void => {
    let freeAt = 0;
    const inTurn = (send: () => void): void => {
      const now = performance.now();
      freeAt = Math.max(freeAt, now + delayMs);
      if (freeAt <= now) send();
      else setTimeout(send, freeAt - now);
    };
    from.on('data', (chunk) => inTurn(() => void (to.destroyed || to.write(chunk))));
    from.on('end', () => inTurn(() => to.end()));
    from.on('close', () => inTurn(() => to.destroy()));
    from.on('error', () => {});
  };

  const server = createServer({ noDelay: true }, (near) => {
    if (isShut) return void near.destroy();
    const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    forward(near, far);
    forward(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): number => {
    const count = sockets.size / 2;
    for (const socket of sockets) socket.resetAndDestroy();
    return Math.ceil(count);
  };

  return {
    name,
    port: (server.address() as AddressInfo).port,
    cut,
    delay(ms) {
      delayMs = ms;
    },
    shut() {
      isShut = true;
      cut();
    },
    open() {
      isShut = false;
    },
    close() {
      server.close();
      cut();
    },
  };
}
