/** The one place where an error gets its status: which problem the API returns for it. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';

import type { AuditNotListedError } from '../audit/errors.ts';
import type { WebhookCheckRunningError, WebhookNotSetUpError } from '../delivery/webhook-test.ts';
import {
  type DestinationNotFoundError,
  type NotRedeliverableError,
  type NotRetryableError,
  OccurrenceErasedError,
  type OccurrenceNotFoundError,
  type RedeliveryNotFoundError,
} from '../ledger/errors.ts';
import type {
  RevisionMismatchError,
  TooManyOccasionTypesError,
} from '../occasion-types/occasion-types.ts';
import { isContention } from '../platform/database/conflicts.ts';
import { describeError, isServerAway } from '../platform/errors.ts';
import { InvalidInputError, UserError } from '../users/errors.ts';
import type { TooBusyError } from './concurrency-limit.ts';
import type { ApiDeps, ApiEnv } from './deps.ts';
import { type Problem, ProblemError, sendProblem } from './problem.ts';
import { loggerOf } from './requests.ts';

export function answerErrors({ logger }: Pick<ApiDeps, 'logger'>) {
  return (error: Error, c: Context<ApiEnv>): Response => {
    const problem = expected(error);
    if (problem !== null) return sendProblem(c, problem);
    loggerOf(c, logger).error({ error: describeError(error) }, 'request failed');
    if (isServerAway(error)) return sendProblem(c, DATABASE_AWAY);
    return sendProblem(c, isContention(error) ? DATABASE_BUSY : INTERNAL);
  };
}

/** The problem for an error caused by the client or the current state; null if it is our fault. */
function expected(error: Error): Problem | null {
  if (error instanceof InvalidInputError) {
    const title = 'The input is invalid';
    return { status: 400, code: 'invalid-input', title, errors: error.faults };
  }
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof HTTPException) return HTTP_PROBLEMS[error.status] ?? null;
  if (error.name === 'AbortError') return STOPPING;
  if (!isRefusal(error)) return null;
  const { code, message } = error;
  const conflict = error instanceof UserError ? error.conflict : null;
  return {
    code,
    ...REFUSALS[code],
    ...(message !== '' && { detail: message }),
    ...(conflict !== null && { conflict }),
    ...(error instanceof OccurrenceErasedError && {
      erasedAt: new Date(error.erasedAt).toISOString(),
    }),
  };
}

type Refusal =
  | UserError
  | OccurrenceNotFoundError
  | OccurrenceErasedError
  | AuditNotListedError
  | DestinationNotFoundError
  | NotRedeliverableError
  | NotRetryableError
  | RedeliveryNotFoundError
  | WebhookNotSetUpError
  | WebhookCheckRunningError
  | RevisionMismatchError
  | TooManyOccasionTypesError
  | TooBusyError;

function isRefusal(error: Error): error is Refusal {
  return 'code' in error && Object.hasOwn(REFUSALS, String(error.code));
}

const NOT_REDELIVERABLE = { status: 409, title: 'The occurrence cannot be redelivered' } as const;

const NOT_RETRYABLE = { status: 409, title: 'The occurrence cannot be tried again now' } as const;

const REFUSALS: Readonly<Record<Refusal['code'], Omit<Problem, 'code' | 'detail'>>> = {
  'user-not-found': { status: 404, title: 'User not found' },
  'occurrence-not-found': { status: 404, title: 'Occurrence not found' },
  'redelivery-not-found': { status: 404, title: 'Redelivery not found' },
  'occasion-not-found': { status: 404, title: 'Occasion not found' },
  'occurrence-erased': { status: 410, title: 'The occurrence was erased with its user' },
  'audit-not-listed': { status: 410, title: 'Only the numbers of this audit are kept' },
  'destination-not-found': { status: 404, title: 'Destination not found' },
  'external-id-taken': {
    status: 409,
    title: 'Another user has this externalId',
    errors: [{ field: 'externalId', rule: 'must not be that of another user' }],
  },
  'occasion-external-id-taken': {
    status: 409,
    title: 'Another occasion of the user has this type and externalId',
    errors: [{ field: 'externalId', rule: 'must not be that of another occasion of this type' }],
  },
  'idempotent-user-deleted': {
    status: 409,
    title: 'The user created with this idempotency key has been deleted',
  },
  'idempotent-occasion-deleted': {
    status: 409,
    title: 'The occasion created with this idempotency key has been deleted',
  },
  'too-many-occasion-types': { status: 409, title: 'Too many occasion types' },
  'webhook-not-set-up': { status: 409, title: 'No webhook is configured' },
  'webhook-check-running': { status: 409, title: 'A check of this destination is running' },
  'occurrence-live': NOT_REDELIVERABLE,
  'occurrence-delivered': NOT_REDELIVERABLE,
  'occurrence-unplanned': NOT_REDELIVERABLE,
  'occurrence-changed': {
    status: 409,
    title: 'The occurrence has changed since it was read',
  },
  'occurrence-not-waiting': NOT_RETRYABLE,
  'occurrence-suspended': NOT_RETRYABLE,
  'deliveries-paused': NOT_RETRYABLE,
  'redelivery-running': NOT_REDELIVERABLE,
  'user-deleted': NOT_REDELIVERABLE,
  'occasion-deleted': NOT_REDELIVERABLE,
  'revision-mismatch': { status: 412, title: 'Precondition failed' },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key was used with different input',
  },
  // An audit or a forecast rarely takes longer.
  'too-busy': { status: 503, title: 'Too many requests', headers: { 'Retry-After': '30' } },
};

/** What is refused before a handler runs, by the framework and by body.ts. */
const HTTP_PROBLEMS: Readonly<Record<number, Problem>> = {
  400: {
    status: 400,
    code: 'malformed-json',
    title: 'The body cannot be parsed',
    errors: [{ field: 'body', rule: 'must be JSON in UTF-8' }],
  },
  415: {
    status: 415,
    code: 'unsupported-media-type',
    title: 'The body is not JSON',
    detail: 'Send it uncompressed, with Content-Type: application/json.',
  },
};

const STOPPING: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'The API is stopping',
  detail: 'Send the request again: another process will answer, or this one after its restart.',
  headers: { 'Retry-After': '1' },
};

export const DATABASE_AWAY: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'The database is unavailable',
  detail: 'Send the request again later, with an Idempotency-Key if it creates a user.',
  headers: { 'Retry-After': '5' },
};

const DATABASE_BUSY: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'The database is busy',
  detail: 'The transaction conflicted with others on every try. Send the request again.',
  headers: { 'Retry-After': '1' },
};

const INTERNAL: Problem = {
  status: 500,
  code: 'internal',
  title: 'Internal error',
  detail: 'The log has details under this requestId.',
};
