/**
 * The process `receiver` of the benches: takes greetings as fast as node:http does, answers
 * 200, and remembers when each came. Every contender posts to a path of its own.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Arrivals, ReceiverAnswer, ReceiverQuestion } from './receiver.ts';

interface Book {
  /** The first arrival of each `webhook-id`, epoch ms. */
  readonly arrivals: Map<string, number>;
  requests: number;
  unsigned: number;
}

const books = new Map<string, Book>();

const server = createServer((request, response) => {
  const arrivedAt = performance.timeOrigin + performance.now();
  note(request, arrivedAt);
  request.resume();
  request.once('end', () => response.writeHead(200).end());
});
// No connection is idle for longer than the bench takes.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1');
await once(server, 'listening');

process.on('message', (message) => {
  const { path } = message as ReceiverQuestion;
  tell({ type: 'arrivals', arrivals: arrivalsAt(path, message as ReceiverQuestion) });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
// Ctrl-C is for the bench, which ends this one.
process.on('SIGINT', () => {});
tell({ type: 'ready', port: (server.address() as AddressInfo).port });

function note({ url = '/', headers }: IncomingMessage, arrivedAt: number): void {
  const book = books.get(url) ?? { arrivals: new Map<string, number>(), requests: 0, unsigned: 0 };
  books.set(url, book);
  book.requests += 1;
  if (headers['webhook-signature'] === undefined) book.unsigned += 1;
  const id = String(headers['webhook-id']);
  if (!book.arrivals.has(id)) book.arrivals.set(id, arrivedAt);
}

function arrivalsAt(path: string, { withInstants }: ReceiverQuestion): Arrivals {
  const book = books.get(path);
  return {
    requests: book?.requests ?? 0,
    distinct: book?.arrivals.size ?? 0,
    unsigned: book?.unsigned ?? 0,
    instants: withInstants ? [...(book?.arrivals.values() ?? [])] : [],
  };
}

function tell(answer: ReceiverAnswer): void {
  process.send?.(answer);
}
