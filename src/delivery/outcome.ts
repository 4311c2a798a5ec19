import { DateTime } from 'luxon';

/** What one request came to: an HTTP status, or the code of the error that prevented one. */
export type Reply = { readonly status: number } | { readonly errorCode: string | undefined };

export interface Outcome {
  /** `gone` gives up too, and raises an alarm: the receiver says it is no more (410). */
  readonly verdict: 'delivered' | 'retry' | 'give_up' | 'gone';
  /** The destination as a whole asks for less, not only for this request later. */
  readonly slowsDestination: boolean;
}

/** The error code of a destination that the guard refuses. */
export const DESTINATION_REFUSED = 'ERR_DESTINATION_REFUSED';

/**
 * The one place where a reply is judged: by status or error code, never by the text of a
 * message. Total: there is a verdict for every status and every code. The table and its
 * reasons are in ADR 6.
 */
export function classifyOutcome(reply: Reply): Outcome {
  if ('errorCode' in reply) return outcome(isHopeless(reply.errorCode) ? 'give_up' : 'retry');
  const { status } = reply;
  if (status >= 200 && status <= 299) return outcome('delivered');
  if (status === 410) return outcome('gone');
  if (status === 429 || status === 503) return outcome('retry', true);
  if (status === 408 || status === 425) return outcome('retry');
  if (status >= 300 && status <= 499) return outcome('give_up');
  // 5xx. Also what is no final status at all: RFC 9110, section 15, takes that for a 5xx.
  return outcome('retry');
}

/** A receiver cannot ask for more than the longest pause between retries. */
export const RETRY_AFTER_CAP_MS = 3_600_000;

/**
 * How long a `Retry-After` header asks to wait, in ms from `now`: seconds or an HTTP date
 * (RFC 9110, 10.2.3), no less than 0 and no more than an hour. Null when there is none
 * that can be read.
 */
export function retryAfterMs(header: string | null | undefined, now: number): number | null {
  const text = header?.trim() ?? '';
  const askedMs = /^\d+$/.test(text)
    ? Number(text) * 1000
    : DateTime.fromHTTP(text, { zone: 'utc' }).toMillis() - now;
  if (Number.isNaN(askedMs)) return null;
  return Math.min(Math.max(askedMs, 0), RETRY_AFTER_CAP_MS);
}

/**
 * Errors that no later attempt can cure. All others are tried again, unknown ones too:
 * retries end by themselves, and an expired certificate gets renewed.
 */
function isHopeless(errorCode: string | undefined): boolean {
  switch (errorCode) {
    case DESTINATION_REFUSED:
    case 'ERR_INVALID_URL':
    case 'ERR_INVALID_PROTOCOL':
    case 'ERR_UNSUPPORTED_PROTOCOL':
      return true;
    default:
      return false;
  }
}

function outcome(verdict: Outcome['verdict'], slowsDestination = false): Outcome {
  return { verdict, slowsDestination };
}
