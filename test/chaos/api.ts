/** The API of a run, which may be down or cut off at any moment. */
import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';

/** Thrown when the run is over before there was an answer. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

/** Sent again until there is an answer that says what has become of it; null when that is empty. */
export type Ask = (
  method: string,
  path: string,
  body?: object,
  headers?: Record<string, string>,
) => Promise<UserAnswer | null>;

interface UserAnswer {
  readonly id: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

const REQUESTS_AT_A_TIME = 16;
const REQUEST_LIMIT_MS = 10_000;
const RETRY_MS = 250;

/** A request that the API refuses, rather than fails, is a fault of the run: it rejects. */
export function createAsk(url: string, isAbandoned: () => boolean): Ask {
  const limit = pLimit(REQUESTS_AT_A_TIME);
  return async (method, path, body, headers = {}) => {
    for (;;) {
      const answer = await limit(() => send(method, `${url}${path}`, body, headers)).catch(
        () => null,
      );
      if (answer?.ok) return answer.text === '' ? null : JSON.parse(answer.text);
      // Deleted by a request whose answer was lost.
      if (method === 'DELETE' && answer?.status === 404) return null;
      if (answer !== null && answer.status < 500) {
        throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      }
      if (isAbandoned()) throw new AbandonedError();
      await sleep(RETRY_MS);
    }
  };
}

async function send(
  method: string,
  url: string,
  body: object | undefined,
  headers: Record<string, string>,
): Promise<{ readonly ok: boolean; readonly status: number; readonly text: string }> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
  });
  return { ok: response.ok, status: response.status, text: await response.text() };
}
