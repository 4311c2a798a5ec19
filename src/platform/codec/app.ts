import { createHash, timingSafeEqual } from 'node:crypto';

import type { Payload, PayloadCodec } from '@temporalio/common';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { z } from 'zod';

import { isFromOwnMachine } from '../../access/own-machine.ts';
import { InvalidSettingsError } from '../settings/settings.ts';

export interface CodecAppOptions {
  readonly codec: PayloadCodec;
  /** Of the Web UIs that may ask, such as `http://127.0.0.1:8233`. */
  readonly origins: readonly string[];
  /** The bearer token that callers must present; null: only callers on this machine may ask. */
  readonly token: string | null;
}

/** A page of a history, in which no payload is larger than Temporal takes (2 MB). */
const MOST_BYTES = 32 * 1024 * 1024;

/** Metadata and data in base64, as protobuf's JSON has bytes; it leaves out what is empty. */
const BodySchema = z.object({
  payloads: z
    .array(
      z.object({
        metadata: z.record(z.string(), z.base64()).default({}),
        data: z.base64().default(''),
      }),
    )
    .default([]),
});
type Body = z.output<typeof BodySchema>;

/**
 * Temporal's remote codec: `POST /encode` and `/decode`, which its Web UI and its command line
 * ask to show what is encrypted (docs.temporal.io/remote-data-encoding).
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
  app.post('/encode', async (c) => answer(c.req.raw, (payloads) => codec.encode(payloads)));
  app.post('/decode', async (c) => answer(c.req.raw, (payloads) => codec.decode(payloads)));
  app.notFound((c) => c.text('There is POST /encode and POST /decode.', 404));
  return app;
}

/** Any page can post without reading the answer; it should not get one. */
function refuseOtherOrigins(origins: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header('origin');
    if (origin === undefined || origins.includes(origin)) return next();
    return c.text('CODEC_ORIGINS does not name this origin.', 403);
  };
}

/** DNS rebinding: a page whose name leads to this machine has its own name in the request. */
const refuseOtherHosts: MiddlewareHandler = async (c, next) => {
  if (isFromOwnMachine(`http://${c.req.header('host') ?? ''}`, undefined)) return next();
  return c.text('Without CODEC_TOKEN it is to be asked as localhost or 127.0.0.1.', 403);
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function requireToken(token: string): MiddlewareHandler {
  const expected = digest(`Bearer ${token}`);
  return async (c, next) => {
    if (timingSafeEqual(digest(c.req.header('authorization') ?? ''), expected)) return next();
    return c.text('Authorization: Bearer … is missing, or not CODEC_TOKEN.', 401, {
      'www-authenticate': 'Bearer',
    });
  };
}

async function answer(
  request: Request,
  convert: (payloads: Payload[]) => Promise<Payload[]>,
): Promise<Response> {
  const body = BodySchema.safeParse(await request.json().catch(() => null));
  if (!body.success) return refuse(`Not payloads: ${z.prettifyError(body.error)}`);
  try {
    return Response.json({ payloads: (await convert(payloadsOf(body.data))).map(toJson) });
  } catch (error) {
    // Of a key that is missing, or of a payload that is broken: nothing of what it holds.
    if (error instanceof InvalidSettingsError) return refuse(error.faults.join(' '));
    return refuse('A payload cannot be converted: it is not whole, or of another key.');
  }
}

function refuse(message: string): Response {
  return new Response(message, { status: 400, headers: { 'content-type': 'text/plain' } });
}

function payloadsOf({ payloads }: Body): Payload[] {
  return payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
    ),
    data: Buffer.from(data, 'base64'),
  }));
}

function toJson({ metadata, data }: Payload): Body['payloads'][number] {
  return {
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, value]) => [name, base64Of(value)]),
    ),
    data: base64Of(data),
  };
}

function base64Of(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}
