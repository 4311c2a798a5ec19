import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';

import type { ApiEnv } from './deps.ts';
import { sendProblem } from './problem.ts';

/** A user has five short fields: far above any honest body, far below what hurts. */
const BODY_MAX_BYTES = 64 * 1024;

/** Refuses a body over 64 KB, before it is read whole. */
export const limitBody = createMiddleware<ApiEnv>((c, next) => limit(c, next).catch(refuseBroken));

const limit = bodyLimit({
  maxSize: BODY_MAX_BYTES,
  onError: (c) =>
    sendProblem(c, {
      status: 413,
      code: 'body-too-large',
      title: 'The body is too large',
      detail: `A body has at most ${BODY_MAX_BYTES} bytes.`,
    }),
});

/**
 * Refuses what would be read wrongly: a compressed body, and one that is not UTF-8,
 * whose names would be stored with replacement characters.
 */
export const requirePlainUtf8 = createMiddleware<ApiEnv>(async (c, next) => {
  if (c.req.raw.body !== null) {
    if ((c.req.header('content-encoding') ?? 'identity') !== 'identity')
      throw new HTTPException(415);
    const bytes = await c.req.arrayBuffer().catch(refuseBroken);
    if (!isUtf8(bytes)) throw new HTTPException(400);
  }
  await next();
});

/** Who sends half a body and goes is no fault of ours, and no sign of the database's. */
function refuseBroken(cause: unknown): never {
  throw new HTTPException(400, { cause });
}

function isUtf8(bytes: ArrayBuffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
