import { DateTime } from 'luxon';

/** `gone` gives up too: the receiver says that it no longer exists (410). */
export type Verdict = 'delivered' | 'retry' | 'give_up' | 'gone';

export interface Outcome {
  readonly verdict: Verdict;
  /** Whether the destination as a whole asks for fewer requests, not only for this one later. */
  readonly slowsDestination: boolean;
}

/** The result of one request: an HTTP status, or the code of the error that prevented one. */
export interface Reply {
  readonly status: number | null;
  readonly errorCode: string | null;
}

/** The error code of a destination that the guard refuses. */
export const DESTINATION_REFUSED = 'ERR_DESTINATION_REFUSED';

/**
 * Judges a reply by its status or error code, and never by the text of a message. Every status and
 * every code has a verdict. ADR 6 has the table and its reasons.
 */
export function classifyOutcome({ status, errorCode }: Reply): Outcome {
  const slowsDestination = status === 429 || status === 503;
  const verdict = status === null ? verdictOfError(errorCode) : verdictOfStatus(status);
  return { verdict, slowsDestination };
}

function verdictOfStatus(status: number): Verdict {
  if (status >= 200 && status <= 299) return 'delivered';
  if (status === 410) return 'gone';
  if ([408, 425, 429].includes(status)) return 'retry';
  if (status >= 300 && status <= 499) return 'give_up';
  // 5xx, and statuses that are not final, which RFC 9110, section 15, treats as 5xx.
  return 'retry';
}

/**
 * Gives up at errors that no later attempt can cure. Retries all others, unknown ones too: retries
 * end by themselves, and an expired certificate gets renewed.
 */
function verdictOfError(errorCode: string | null): Verdict {
  switch (errorCode) {
    case DESTINATION_REFUSED:
    case 'ERR_INVALID_URL':
    case 'ERR_INVALID_PROTOCOL':
    case 'ERR_UNSUPPORTED_PROTOCOL':
      return 'give_up';
    default:
      return 'retry';
  }
}

/** A receiver cannot ask for more than the longest pause between retries. */
export const RETRY_AFTER_CAP_MS = 3_600_000;

/**
 * How long a `Retry-After` header asks to wait, in ms from `now`: seconds or an HTTP date
 * (RFC 9110, 10.2.3), from 0 to an hour. Null if there is none that can be read.
 */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  const askedMs = /^\d+$/.test(text)
    ? Number(text) * 1000
    : DateTime.fromHTTP(text, { zone: 'utc' }).toMillis() - now;
  if (Number.isNaN(askedMs)) return null;
  return Math.min(Math.max(askedMs, 0), RETRY_AFTER_CAP_MS);
}
