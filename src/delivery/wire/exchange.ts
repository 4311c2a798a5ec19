import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

import { excerptOf, MAX_EXCERPT_BYTES } from './response-excerpt.ts';

/**
 * The result of one connection. If there is an HTTP status, it alone decides, even if the rest then
 * failed.
 */
export interface Answer {
  readonly status: number | null;
  /** The reason if there is no status. */
  readonly errorCode: string | null;
  readonly retryAfter: string | null;
  readonly responseExcerpt: string | null;
}

export interface Exchanged extends Answer {
  /**
   * The connection was kept from an earlier request, and broke before any byte of the response
   * came.
   */
  readonly isStale: boolean;
  /** The connection was kept, and the first bytes were no response: the rest of an earlier one. */
  readonly isOutOfStep: boolean;
}

/** What is known of a connection when a response begins. */
export interface Connection {
  /** It was kept from an earlier request. */
  readonly isReused: boolean;
  /** Such as `TLSv1.3`; null without TLS. */
  readonly tlsVersion: string | null;
}

/** Begins a request with node:http, or a library on top of it, and lets `exchange` follow it. */
export type Begin = (
  follow: (request: ClientRequest) => ClientRequest,
  /** Reports errors that no request of node:http does. */
  fail: (error: unknown) => void,
) => void;

/** Options of every request. Node's own limit is 16 KB. */
export const PARSER_OPTIONS = { maxHeaderSize: 64 * 1024 };

/** After a longer response the connection is closed; after a shorter one it is reused. */
const MAX_BODY_BYTES = 64 * 1024;
/** The limit of a head that is not understood yet; enough for any that the parser accepts. */
const MAX_HEAD_BYTES = 4 * PARSER_OPTIONS.maxHeaderSize;

/**
 * Follows one request and its response, whichever client makes it, to the end of the response or of
 * the time. Never rejects. Afterwards, the connection serves the next request or is closed.
 */
export function exchange(
  begin: Begin,
  timeoutMs: number,
  onConnection?: (connection: Connection) => void,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    let request: ClientRequest | null = null;
    let response: IncomingMessage | null = null;
    let isKept = false;
    let isSettled = false;
    const head: Uint8Array[] = [];
    const body: Uint8Array[] = [];
    let receivedBytes = 0;
    let bodyBytes = 0;

    const finish = (errorCode: string | null): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      const isBroken = errorCode?.startsWith('HPE_') === true;
      const answer =
        response === null
          ? ((isBroken ? readBrokenHead(Buffer.concat(head)) : null) ?? {
              ...WITHOUT_STATUS,
              errorCode,
            })
          : answerOf(response, Buffer.concat(body));
      resolve({
        ...answer,
        isStale: isKept && receivedBytes === 0 && BROKEN_CONNECTION.has(answer.errorCode ?? ''),
        isOutOfStep: isKept && isBroken && answer.status === null,
      });
    };

    const hangUp = (errorCode: string | null): void => {
      if (isSettled) return;
      finish(errorCode);
      request?.destroy();
    };

    // Read what has arrived by then first: a busy process handles its timers before its sockets.
    const timer = setTimeout(() => setImmediate(hangUp, 'ETIMEDOUT'), timeoutMs);

    /** The parser exposes nothing of a head that it refuses. */
    const note = (chunk: Uint8Array): void => {
      if (response === null && receivedBytes < MAX_HEAD_BYTES) head.push(chunk);
      receivedBytes += chunk.byteLength;
    };

    const follow = (made: ClientRequest): ClientRequest => {
      request = made;
      made.once('socket', (socket) => {
        isKept = socket.listenerCount('data', closeConnection) > 0;
        socket.off('data', closeConnection);
        socket.prependListener('data', note);
        made.once('close', () => {
          socket.off('data', note);
          if (!socket.destroyed) socket.on('data', closeConnection);
        });
      });
      made.once('response', (answered) => {
        response = answered;
        head.length = 0;
        onConnection?.({ isReused: isKept, tlsVersion: tlsVersionOf(made.socket) });
        if (isFollowedByBody(answered)) return hangUp(null);
        answered.on('data', (chunk: Uint8Array) => {
          if (bodyBytes < MAX_EXCERPT_BYTES) body.push(chunk);
          bodyBytes += chunk.byteLength;
          if (bodyBytes > MAX_BODY_BYTES) hangUp(null);
        });
        // A receiver may answer before it has read the request.
        answered.once('end', () => (made.writableFinished ? finish(null) : hangUp(null)));
        answered.once('close', () => finish(null));
      });
      // We asked for no other protocol, and nothing else closes the connection.
      made.once('upgrade', (answered, socket) => {
        response = answered;
        finish(null);
        socket.destroy();
      });
      made.on('error', fail);
      return made;
    };

    const fail = (error: unknown): void => finish(codeOf(error));
    try {
      begin(follow, fail);
    } catch (error) {
      fail(error);
    }
  });
}

function tlsVersionOf(socket: Duplex | null): string | null {
  return socket instanceof TLSSocket ? socket.getProtocol() : null;
}

/** No request is open on a kept connection: data would be taken for the next response. */
function closeConnection(this: Duplex): void {
  this.destroy();
}

const BROKEN_CONNECTION = new Set(['ECONNRESET', 'EPIPE']);

/**
 * Whether a body may follow a response that has none by its status (RFC 9110, 15.3.5, 15.3.6 and
 * 15.4.5), because its headers announce one or, with 205, because the parser waits for one.
 */
function isFollowedByBody({ statusCode, headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'content-type': type } = headers;
  const encoding = headers['transfer-encoding'];
  if (statusCode === 205) return headers['content-length'] === undefined && encoding === undefined;
  if (statusCode !== 204 && statusCode !== 304) return false;
  return length !== '0' || type !== undefined || encoding !== undefined;
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, body: Uint8Array): Answer {
  return {
    status: statusCode,
    errorCode: null,
    retryAfter: headers['retry-after'] ?? null,
    responseExcerpt: excerptOf(body),
  };
}

const WITHOUT_STATUS = { status: null, retryAfter: null, responseExcerpt: null };

const INTERIM = /^HTTP\/\d\.\d 1(?!01)\d\d /;
const STATUS_LINE = /^HTTP\/\d\.\d (\d{3})(?: [^\r\n]*)?(?:\r?\n|$)/;

/**
 * Reads heads that the parser refuses: folded lines (RFC 9112, 5.2), bare line feeds, two lengths.
 * The status line of the receiver counts. Returns null if there is none.
 */
function readBrokenHead(bytes: Buffer): Answer | null {
  const parts = bytes.toString('latin1').split(/\r?\n\r?\n/);
  while (INTERIM.test(parts[0] ?? '')) parts.shift();
  const [head = '', ...body] = parts;
  const status = STATUS_LINE.exec(head)?.[1];
  if (status === undefined) return null;
  const retryAfter = /^retry-after[ \t]*:(.*)$/im.exec(head.replaceAll(/\r?\n[ \t]+/g, ' '));
  return {
    status: Number(status),
    errorCode: null,
    retryAfter: retryAfter?.[1]?.trim() ?? null,
    responseExcerpt: excerptOf(Buffer.from(body.join('\n\n'), 'latin1')),
  };
}

/** Only the code of an error leaves this module: an error may hold the request with its headers. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'ERR_UNKNOWN';
}
