import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { startBalancer } from './balancer.ts';

/** Sends its name to each client, and then echoes whatever it receives. */
async function startFrontend(name: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  /** As if the process were killed. */
  const kill = (): void => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  onTestFinished(kill);
  return { port: (server.address() as AddressInfo).port, kill };
}

async function balance(frontends: readonly number[]): Promise<number> {
  const { port, close } = await startBalancer(0, frontends);
  onTestFinished(close);
  return port;
}

async function connectTo(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.on('error', () => {});
  const [name] = await once(socket, 'data');
  return { socket, name: String(name) };
}

test('connections are spread over the frontends, and carry what is sent', async () => {
  const port = await balance([(await startFrontend('A')).port, (await startFrontend('B')).port]);
  const [first, second] = [await connectTo(port), await connectTo(port)];
  expect([first.name, second.name].toSorted()).toEqual(['A', 'B']);
  first.socket.write('hello');
  expect(await once(first.socket, 'data')).toEqual(['hello']);
});

test('a frontend that dies ends its connections, and new ones go to another', async () => {
  const [a, b] = [await startFrontend('A'), await startFrontend('B')];
  const port = await balance([a.port, b.port]);
  const clients = [await connectTo(port), await connectTo(port)];
  const [ofA, ofB] = clients.toSorted((one, other) => one.name.localeCompare(other.name));
  const ended = once(ofA?.socket as Socket, 'close');
  a.kill();
  await ended;
  expect(ofB?.socket.destroyed).toBe(false);
  expect([(await connectTo(port)).name, (await connectTo(port)).name]).toEqual(['B', 'B']);
});

test('a client is refused while there is no frontend', async () => {
  const a = await startFrontend('A');
  const port = await balance([a.port]);
  a.kill();
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {});
  await once(client, 'close');
  expect(client.bytesRead).toBe(0);
});
