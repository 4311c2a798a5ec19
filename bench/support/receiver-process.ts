/**
 * The process `receiver` of the benches: accepts greetings as fast as node:http can, answers 200,
 * and records when each arrived. Every contender posts to its own path.
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
// No connection may be closed as idle during the bench.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1');
await once(server, 'listening');

process.on('message', (message) => {
  const { path } = message as ReceiverQuestion;
  tell({ type: 'arrivals', arrivals: arrivalsAt(path, message as ReceiverQuestion) });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
// Ctrl-C is for the bench, which then ends this process.
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
