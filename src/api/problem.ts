/** Errors as the API returns them (RFC 9457), and the one place where an error gets its status. */
import { type Hook, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';

import type {
  RevisionMismatchError,
  TooManyOccasionTypesError,
} from '../occasion-types/occasion-types.ts';
import type { WebhookCheckRunningError, WebhookNotSetUpError } from '../delivery/webhook-test.ts';
import type { AuditNotListedError } from '../audit/errors.ts';
import {
  type DestinationNotFoundError,
  type NotRedeliverableError,
  type NotRetryableError,
  OccurrenceErasedError,
  type OccurrenceNotFoundError,
  type RedeliveryNotFoundError,
} from '../ledger/errors.ts';
import { isContention } from '../platform/database/conflicts.ts';
import { describeError, isServerAway } from '../platform/errors.ts';
import {
  type ConflictingResource,
  type FieldFault,
  InvalidInputError,
  UserError,
} from '../users/errors.ts';
import type { TooBusyError } from './concurrency-limit.ts';
import type { ApiDeps, ApiEnv } from './deps.ts';
import { loggerOf } from './requests.ts';

export interface Problem {
  readonly status: ContentfulStatusCode;
  /** The end of the type's URI; stable, for programs. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
  /** What is in the way of the request. */
  readonly conflict?: ConflictingResource;
  /** ISO 8601. */
  readonly erasedAt?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const PROBLEM_JSON = 'application/problem+json';

const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:daybell:problem:invalid-input' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    requestId: z.string().describe('Identifies the request in the log'),
    errors: z
      .array(
        z.object({
          field: z.string().openapi({ example: 'timezone' }),
          rule: z.string().openapi({ example: 'is required' }),
        }),
      )
      .optional()
      .describe('Every fault of the input: the field and the rule that it breaks'),
    conflict: z
      .object({ userId: z.uuid(), occasionId: z.uuid().optional() })
      .optional()
      .describe('What is in the way: the user, or the occasion, that has the external id'),
    erasedAt: z.iso.datetime().optional().describe('When it was erased, with its user'),
  })
  .openapi('Problem');

/** Thrown to answer a request with a problem that only its handler can see. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

export function sendProblem(c: Context<ApiEnv>, problem: Problem): Response {
  const { code, title, status, detail, errors, conflict, erasedAt, headers } = problem;
  const type = `urn:daybell:problem:${code}`;
  const requestId = c.get('requestId');
  const body = { type, title, status, detail, requestId, errors, conflict, erasedAt };
  return c.body(JSON.stringify(body), status, { ...headers, 'Content-Type': PROBLEM_JSON });
}

const DESCRIPTIONS = {
  400: 'The input is invalid',
  404: 'Not found',
  409: 'Conflict with the current state',
  410: 'No longer kept',
  412: 'The current ETag is not one that If-Match and If-None-Match allow',
  413: 'The body is too large',
  415: 'The body is not JSON',
  422: 'The idempotency key was used with different input',
} as const;

/** The error responses of a route that requires a key, for its description. */
export function problems(...statuses: (keyof typeof DESCRIPTIONS)[]) {
  const listed = statuses.map((status) => [status, problemResponse(DESCRIPTIONS[status])] as const);
  return {
    ...(Object.fromEntries(listed) as Record<number, ReturnType<typeof problemResponse>>),
    ...accessProblems,
    500: problemResponse('Internal error; `requestId` identifies it in the log'),
    503: problemResponse(
      'Temporarily unavailable: the database is away or busy, or too many such requests are waiting',
      { 'Retry-After': 'Seconds after which to try again' },
    ),
  };
}

/** Of every route that requires a key. */
export const accessProblems = {
  401: problemResponse('The API key is missing or invalid', {
    'WWW-Authenticate': 'A challenge by RFC 6750',
  }),
  403: problemResponse(
    'The API key lacks the required scope; or no keys are configured, and the request comes from elsewhere',
    { 'WWW-Authenticate': 'A challenge by RFC 6750 that names the missing scope' },
  ),
  429: problemResponse('Too many requests with this API key', {
    'Retry-After': 'Seconds until the next request is accepted',
  }),
};

function problemResponse(description: string, headers: Readonly<Record<string, string>> = {}) {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { schema: { type: 'string' as const }, description: text },
  ]);
  return {
    description,
    ...(described.length > 0 && { headers: Object.fromEntries(described) }),
    content: { [PROBLEM_JSON]: { schema: ProblemSchema } },
  };
}

/** Refuses what a route's schemas do not allow. @throws InvalidInputError */
export const refuseInvalid: Hook<unknown, ApiEnv, string, undefined> = (result) => {
  if (result.success) return undefined;
  throw new InvalidInputError(faultsOf(result.error, result.target));
};

function faultsOf(error: ZodError, target: string): FieldFault[] {
  return error.issues.flatMap((issue): FieldFault[] => {
    if (issue.code === 'unrecognized_keys') {
      const rule = target === 'query' ? 'is not a parameter here' : 'is not a field here';
      return issue.keys.map((field) => ({ field, rule }));
    }
    const isBody = target === 'json' && issue.path.length === 0;
    if (isBody && issue.code === 'invalid_type') {
      return [{ field: 'body', rule: 'must be a JSON object' }];
    }
    return [{ field: isBody ? 'body' : issue.path.join('.') || target, rule: issue.message }];
  });
}

export function answerErrors({ logger }: Pick<ApiDeps, 'logger'>) {
  return (error: Error, c: Context<ApiEnv>): Response => {
    const problem = expected(error);
    if (problem !== null) return sendProblem(c, problem);
    loggerOf(c, logger).error({ error: describeError(error) }, 'request failed');
    if (isServerAway(error)) return sendProblem(c, DATABASE_AWAY);
    return sendProblem(c, isContention(error) ? DATABASE_BUSY : INTERNAL);
  };
}

/** The problem for an error that the client or the current state caused; null for a fault of ours. */
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
  // What an audit or a forecast takes at most, as a rule.
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
  detail:
    'Other transactions were in the way, each time that it was tried. Send the request again.',
  headers: { 'Retry-After': '1' },
};

const INTERNAL: Problem = {
  status: 500,
  code: 'internal',
  title: 'Internal error',
  detail: 'The log has more under this requestId.',
};
