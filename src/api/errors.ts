import type { Hook } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ZodError } from 'zod';

import { NotRedeliverableError, OccurrenceNotFoundError } from '../ledger/errors.ts';
import { WebhookNotSetUpError } from '../delivery/webhook-test.ts';
import { describeError, isServerAway } from '../platform/errors.ts';
import {
  ExternalIdTakenError,
  type FieldFault,
  IdempotencyKeyReusedError,
  IdempotentUserDeletedError,
  InvalidUserError,
  RevisionMismatchError,
  UserNotFoundError,
} from '../users/errors.ts';
import type { ApiDeps, ApiEnv } from './deps.ts';
import { type Problem, sendProblem } from './problem.ts';
import { loggerOf } from './request-log.ts';
import { TooBusyError } from './turns.ts';

/** Thrown when a request breaks rules; it carries all of them. */
export class InvalidRequestError extends Error {
  override readonly name = 'InvalidRequestError';
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    super(faults.map(({ field, rule }) => `${field} ${rule}`).join('; '));
    this.faults = faults;
  }
}

/** What zod found, by field. @throws InvalidRequestError */
export const refuseInvalid: Hook<unknown, ApiEnv, string, undefined> = (result) => {
  if (result.success) return undefined;
  throw new InvalidRequestError(faultsOf(result.error, WHOLE[result.target] ?? result.target));
};

const WHOLE: Readonly<Record<string, string>> = { json: 'body' };

/** Every fault that zod found; one of the whole goes by the name of `whole`. */
function faultsOf(error: ZodError, whole: string): FieldFault[] {
  return error.issues.flatMap((issue): FieldFault[] => {
    if (issue.code === 'unrecognized_keys') {
      const rule = whole === 'query' ? 'is not a parameter here' : 'is not a field here';
      return issue.keys.map((field) => ({ field, rule }));
    }
    return [{ field: issue.path.join('.') || whole, rule: issue.message }];
  });
}

/** Turns whatever was thrown into a problem: the one place where an error gets its status. */
export function answerErrors({ logger }: Pick<ApiDeps, 'logger'>) {
  return (error: Error, c: Context<ApiEnv>): Response => {
    if (error instanceof TooBusyError) return sendTooBusy(c, error);
    const problem = expected(error);
    if (problem !== null) return sendProblem(c, problem);
    if (error.name === 'AbortError') return sendProblem(c, STOPPING);
    loggerOf(c, logger).error({ error: describeError(error) }, 'request failed');
    if (isServerAway(error)) return sendProblem(c, DATABASE_AWAY);
    return sendProblem(c, {
      status: 500,
      code: 'internal',
      title: 'Something went wrong inside',
      detail: 'The log tells more under this requestId.',
    });
  };
}

/** What a turn takes at the most, as a rule. */
const TURN_SECONDS = 30;

function sendTooBusy(c: Context<ApiEnv>, { code, message: detail }: TooBusyError): Response {
  const title = 'Too many wait for the same';
  const answer = sendProblem(c, { status: 503, code, title, detail });
  answer.headers.set('Retry-After', String(TURN_SECONDS));
  return answer;
}

/** Nobody hears it whose connection has been closed by then. */
const STOPPING: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'The API is stopping',
  detail: 'Send the request again: another process serves it, or this one when it is back.',
};

const DATABASE_AWAY: Problem = {
  status: 503,
  code: 'unavailable',
  title: 'The database is away',
  detail: 'Send the request again later; with an Idempotency-Key, if it creates a user.',
};

function expected(error: Error): Problem | null {
  const { message: detail } = error;
  if (error instanceof InvalidRequestError || error instanceof InvalidUserError) {
    return {
      status: 400,
      code: 'invalid-input',
      title: 'The input breaks a rule',
      errors: error.faults,
    };
  }
  if (error instanceof UserNotFoundError) {
    return { status: 404, code: error.code, title: 'No such user', detail };
  }
  if (error instanceof OccurrenceNotFoundError) {
    return { status: 404, code: error.code, title: 'No such occurrence', detail };
  }
  if (error instanceof ExternalIdTakenError) {
    const errors = [{ field: 'externalId', rule: 'must not be that of another user' }];
    return { status: 409, code: error.code, title: 'The externalId is taken', detail, errors };
  }
  if (error instanceof IdempotentUserDeletedError) {
    return { status: 409, code: error.code, title: 'The created user was deleted', detail };
  }
  if (error instanceof WebhookNotSetUpError) {
    return { status: 409, code: error.code, title: 'There is no webhook to test', detail };
  }
  if (error instanceof NotRedeliverableError) {
    return { status: 409, code: error.code, title: 'It cannot be sent again', detail };
  }
  if (error instanceof RevisionMismatchError) {
    return { status: 412, code: error.code, title: 'The user has changed', detail };
  }
  if (error instanceof IdempotencyKeyReusedError) {
    return { status: 422, code: error.code, title: 'The idempotency key was used before', detail };
  }
  return error instanceof HTTPException ? ofHttp(error) : null;
}

/** What the framework refuses before a handler runs. */
function ofHttp(error: HTTPException): Problem | null {
  if (error.status === 415) {
    const detail = 'Send the body as it is, with Content-Type: application/json.';
    return { status: 415, code: 'unsupported-media-type', title: 'The body is not JSON', detail };
  }
  if (error.status !== 400) return null;
  const errors = [{ field: 'body', rule: 'must be JSON in UTF-8' }];
  return { status: 400, code: 'malformed-json', title: 'The body cannot be read', errors };
}
