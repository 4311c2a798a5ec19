/**
 * A receiver below HTTP: it reads requests properly, and answers with the bytes that the test
 * provides.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface RawRequest {
  /** Its `webhook-id`. */
  readonly id: string;
  /** As received, head and body. */
  readonly text: string;
  /** Its number on its connection, from 1. */
  readonly number: number;
}

export type RawAnswer = (connection: Socket, request: RawRequest) => void;

export interface RawReceiver {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RawRequest[];
  /** So far. */
  readonly connections: number;
  /** At this moment. */
  readonly open: number;
  /** Answers like this from now on; initially with 200. */
  answer(how: RawAnswer): void;
  /** Called, from now on, as soon as the head of a request has arrived. */
  onHead(how: (connection: Socket) => void): void;
  close(): Promise<void>;
}

/** @param tls for a receiver of HTTPS */
export async function startRawReceiver(tls?: TlsOptions): Promise<RawReceiver> {
  const requests: RawRequest[] = [];
  const open = new Set<Duplex>();
  let connections = 0;
  let respond: RawAnswer = answerOk;
  let noticeHead: ((connection: Socket) => void) | null = null;

  const serve = (connection: Socket): void => {
    connections += 1;
    open.add(connection);
    connection.once('close', () => open.delete(connection));
    // Clients hang up on many responses.
    connection.on('error', () => {});
    let unread = Buffer.alloc(0);
    let number = 0;
    let isHeadNoticed = false;
    connection.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (;;) {
        const length = lengthOfRequest(unread);
        if (length === null) return;
        if (!isHeadNoticed) noticeHead?.(connection);
        isHeadNoticed = unread.length < length;
        if (isHeadNoticed) return;
        const text = unread.subarray(0, length).toString();
        unread = unread.subarray(length);
        number += 1;
        const id = /^webhook-id: (.*)$/im.exec(text)?.[1] ?? '';
        const request = { id, text, number };
        requests.push(request);
        respond(connection, request);
      }
    });
  };
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = tls === undefined ? 'http://127.0.0.1' : 'https://localhost';

  return {
    url: `${origin}:${port}/greetings`,
    port,
    requests,
    get connections() {
      return connections;
    },
    get open() {
      return open.size;
    },
    answer(how) {
      respond = how;
    },
    onHead(how) {
      noticeHead = how;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const connection of open) connection.destroy();
      await closed;
    },
  };
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

const answerOk: RawAnswer = (connection) => void connection.write(OK);

/** Null while its head is incomplete. */
function lengthOfRequest(bytes: Buffer): number | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const length = /^content-length: (\d+)$/im.exec(bytes.subarray(0, end).toString())?.[1];
  return end + 4 + Number(length ?? 0);
}
