import { timingSafeEqual } from 'node:crypto';

import type { Payload, PayloadCodec } from '@temporalio/common';
import protobuf from '@temporalio/proto';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';

import { bearerToken, hashToken } from '../../access/bearer.ts';
import { isFromOwnMachine } from '../../access/own-machine.ts';
import { InvalidSettingsError } from '../settings/settings.ts';

const { Payload: PayloadMessage, Payloads } = protobuf.temporal.api.common.v1;

export interface CodecAppOptions {
  readonly codec: PayloadCodec;
  /** The origins of the Web UIs that may call it, such as `http://127.0.0.1:8233`. */
  readonly origins: readonly string[];
  /** The bearer token that callers must present; null: only callers on this machine are served. */
  readonly token: string | null;
}

/** A page of a history, in which no payload is larger than Temporal accepts (2 MB). */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * Temporal's remote codec: `POST /encode` and `/decode`, which its Web UI and its command line call
 * to show encrypted payloads (docs.temporal.io/remote-data-encoding).
 */
export function createCodecApp({ codec, origins, token }: CodecAppOptions): Hono {
  const app = new Hono();
  app.use(
    cors({
      origin: [...origins],
      allowMethods: ['POST'],
      allowHeaders: ['content-type', 'authorization', 'x-namespace'],
    }),
  );
  app.use(refuseOtherOrigins(origins));
  app.use(token === null ? refuseOtherHosts : requireToken(token));
  app.use(bodyLimit({ maxSize: MOST_BYTES }));
  app.post('/encode', (c) => answer(c, codec.encode));
  app.post('/decode', (c) => answer(c, codec.decode));
  app.notFound((c) => c.text('Only POST /encode and POST /decode exist here.', 404));
  return app;
}

/** Any page can post without reading the response; it should not get one. */
function refuseOtherOrigins(origins: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header('origin');
    if (origin === undefined || origins.includes(origin)) return next();
    return c.text('CODEC_ORIGINS does not name this origin.', 403);
  };
}

/**
 * Against DNS rebinding: a page whose name resolves to this machine sends its own name as the host.
 */
const refuseOtherHosts: MiddlewareHandler = async (c, next) => {
  if (isFromOwnMachine(`http://${c.req.header('host') ?? ''}`, undefined)) return next();
  return c.text('Without CODEC_TOKEN, address it as localhost or 127.0.0.1.', 403);
};

function requireToken(token: string): MiddlewareHandler {
  const expected = hashToken(token);
  return async (c, next) => {
    const presented = bearerToken(c.req.header('authorization'));
    if (presented !== null && timingSafeEqual(hashToken(presented), expected)) return next();
    return c.text('Authorization: Bearer … is missing, or not CODEC_TOKEN.', 401, {
      'www-authenticate': 'Bearer',
    });
  };
}

/** Payloads in protobuf's JSON form: bytes in base64, and empty fields may be left out. */
async function answer(
  c: Context,
  convert: (payloads: Payload[]) => Promise<Payload[]>,
): Promise<Response> {
  try {
    const { payloads } = Payloads.fromObject(await c.req.json());
    return c.json({ payloads: (await convert(payloads)).map(toJson) });
  } catch (error) {
    // The message names a missing key, and contains nothing of a damaged payload.
    if (error instanceof InvalidSettingsError) return c.text(error.faults.join(' '), 400);
    return c.text('Not payloads, or one of them is damaged or encrypted with another key.', 400);
  }
}

function toJson(payload: Payload): object {
  return {
    data: '',
    ...PayloadMessage.toObject(PayloadMessage.create(payload), { bytes: String }),
  };
}
