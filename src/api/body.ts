import { isUtf8 } from 'node:buffer';
import { MIMEType } from 'node:util';

import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import { matchedRoutes } from 'hono/route';

import type { ApiEnv } from './deps.ts';
import { sendProblem } from './problem.ts';

/** Far more than the five short fields of a user need. */
const BODY_MAX_BYTES = 64 * 1024;

/** Refuses a body over 64 KB before it is read whole. */
export const limitBody = createMiddleware<ApiEnv>((c, next) => limit(c, next).catch(refuseBroken));

const limit = bodyLimit({
  maxSize: BODY_MAX_BYTES,
  onError: (c) =>
    sendProblem(c, {
      status: 413,
      code: 'body-too-large',
      title: 'The body is too large',
      detail: `A body may have ${BODY_MAX_BYTES} bytes at most.`,
    }),
});

/** Refuses what would be misread: compressed bodies, and text that is not UTF-8. */
export const requirePlainUtf8 = createMiddleware<ApiEnv>(async (c, next) => {
  if (c.req.raw.body !== null) {
    if (isEncoded(c.req.header('content-encoding') ?? '')) throw new HTTPException(415);
    const bytes = await c.req.arrayBuffer().catch(refuseBroken);
    if (!isUtf8(bytes)) throw new HTTPException(400);
    // The framework does not know every way of writing it.
    if (isJson(c.req.header('content-type') ?? '')) {
      c.req.raw.headers.set('content-type', 'application/json');
    }
  }
  await next();
});

/** A change without a body is meaningless; its JSON was probably lost on the way. */
export const requireBodyOfChange = createMiddleware<ApiEnv>(async (c, next) => {
  // If no route takes a body here, the answer is 404 or 405.
  const isChange = matchedRoutes(c).some(({ method }) => method === 'PATCH' || method === 'PUT');
  if (isChange && (await c.req.arrayBuffer()).byteLength === 0) throw new HTTPException(400);
  await next();
});

/** For a route whose body is optional: an empty one counts as none, whatever its type (`curl -d ''`). */
export const emptyIsNoBody = createMiddleware<ApiEnv>(async (c, next) => {
  const { byteLength } = await c.req.arrayBuffer();
  if (byteLength === 0) c.req.raw.headers.delete('content-type');
  await next();
});

/** A list of codings, in any case; `identity` is none (RFC 9110, 8.4 and 12.5.3). */
function isEncoded(contentEncoding: string): boolean {
  const codings = contentEncoding.split(',').map((coding) => coding.trim().toLowerCase());
  return codings.some((coding) => coding !== '' && coding !== 'identity');
}

function isJson(contentType: string): boolean {
  try {
    const { type, subtype } = new MIMEType(contentType);
    return type === 'application' && /(?:^|\+)json$/.test(subtype);
  } catch {
    return false;
  }
}

/** A client that disconnects in the middle of its body is neither our fault nor the database's. */
function refuseBroken(cause: unknown): never {
  throw new HTTPException(400, { cause });
}
