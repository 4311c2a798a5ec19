/** Problems as the API returns them (RFC 9457), and their descriptions for OpenAPI. */
import { type Hook, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';

import { type ConflictingResource, type FieldFault, InvalidInputError } from '../users/errors.ts';
import type { ApiEnv } from './deps.ts';

export interface Problem {
  readonly status: ContentfulStatusCode;
  /** The end of the type's URI; stable, for programs. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
  /** What the request conflicts with. */
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
      .describe('The user, or the occasion, that already has the external id'),
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
  412: 'The current ETag does not satisfy If-Match or If-None-Match',
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
      'Temporarily unavailable: the database is down or busy, or too many such requests are waiting',
      { 'Retry-After': 'Seconds after which to try again' },
    ),
  };
}

/** The problems of every route that requires a key. */
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
