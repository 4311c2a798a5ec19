import type { Context } from 'hono';

import type { ApiEnv } from './deps.ts';

/**
 * Output kept for a client that sends its whole body before it reads the response: some hundred
 * thousand refused rows. Beyond that, the client has to read before the work continues.
 */
const UNREAD_MAX_BYTES = 16 * 1024 * 1024;

/** Answers 200 and streams texts as they come. Stops if the client disconnects. */
export function streamText(
  c: Context<ApiEnv>,
  contentType: string,
  texts: AsyncGenerator<string>,
  onEnd: () => void,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await texts.next();
          if (done !== true) return controller.enqueue(encoder.encode(value));
          onEnd();
          controller.close();
        } catch (error) {
          onEnd();
          controller.error(error);
        }
      },
      async cancel() {
        onEnd();
        await texts.return(undefined);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: UNREAD_MAX_BYTES }),
  );
  return c.body(body, 200, {
    'Content-Type': `${contentType}; charset=utf-8`,
    'Cache-Control': 'no-store',
    // For nginx, which otherwise holds the lines back until its buffer is full.
    'X-Accel-Buffering': 'no',
  });
}
