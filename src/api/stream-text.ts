import type { Context } from 'hono';

import type { ApiEnv } from './deps.ts';

/**
 * What is kept for a client that sends its whole body before it reads the answer: some hundred
 * thousand refused rows. Beyond that, it has to read before more is done.
 */
const UNREAD_MAX_BYTES = 16 * 1024 * 1024;

/** Answers 200 with texts as they come. A client that goes away ends them. */
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
    // For nginx, which else keeps the lines back until it has a buffer full.
    'X-Accel-Buffering': 'no',
  });
}
