import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

import { excerptOf, MAX_EXCERPT_BYTES } from './response-excerpt.ts';

/** What came back on one connection. An HTTP status alone decides, even if the rest then failed. */
export interface Answer {
  readonly status: number | null;
  /** Why there is no status. */
  readonly errorCode: string | null;
  readonly retryAfter: string | null;
  readonly responseExcerpt: string | null;
}

export interface Exchanged extends Answer {
  /** The connection was kept from an earlier request, and broke before anything of the answer came. */
  readonly isStale: boolean;
  /** The connection was kept, and what came first was no answer: the rest of an earlier one. */
  readonly isOutOfStep: boolean;
}

/** What can be seen of a connection when an answer has begun. */
export interface Connection {
  /** It was kept from an earlier request. */
  readonly isReused: boolean;
  /** Such as `TLSv1.3`; null without TLS. */
  readonly tlsVersion: string | null;
}

/** Makes a request by node:http, or by a library on top of it, and has it followed. */
export type Begin = (
  follow: (request: ClientRequest) => ClientRequest,
  /** For errors that no request of node:http reports. */
  fail: (error: unknown) => void,
) => void;

/** Options of every request. Node's own limit is 16 KB. */
export const PARSER_OPTIONS = { maxHeaderSize: 64 * 1024 };

/** Of a longer answer the connection is closed; after a shorter one it serves the next request. */
const MAX_BODY_BYTES = 64 * 1024;
/** Of a head that is not understood yet; enough for any that the parser takes. */
const MAX_HEAD_BYTES = 4 * PARSER_OPTIONS.maxHeaderSize;

/**
 * Follows one request and its answer, whichever client makes it, to the end of the answer or of the
 * time. Never rejects. After it, the connection serves the next request or is closed.
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

    // What has come in by then is read first: a busy process sees its timers before its sockets.
    const timer = setTimeout(() => setImmediate(hangUp, 'ETIMEDOUT'), timeoutMs);

    /** The parser hands out nothing of a head that it refuses. */
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
      // No other protocol was asked for, and nothing else closes the connection.
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

/** Nothing is asked on a kept connection: what comes would be taken for the next answer. */
function closeConnection(this: Duplex): void {
  this.destroy();
}

const BROKEN_CONNECTION = new Set(['ECONNRESET', 'EPIPE']);

/**
 * Whether a body may follow an answer that has none by its status (RFC 9110, 15.3.5, 15.3.6 and
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
 * Reads what the parser refuses: folded lines (RFC 9112, 5.2), line feeds alone, two lengths. What
 * the receiver has said in its status line counts. Null without one.
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
