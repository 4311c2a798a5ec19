/** Errors as the API returns them: RFC 9457. */
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { FieldFault } from '../users/errors.ts';
import type { ApiEnv } from './deps.ts';

export interface Problem {
  readonly status: ContentfulStatusCode;
  /** The end of the type's URI; stable, for programs. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
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
  })
  .openapi('Problem');

export function sendProblem(c: Context<ApiEnv>, problem: Problem): Response {
  const { code, title, status, detail, errors, headers } = problem;
  const type = `urn:daybell:problem:${code}`;
  const body = { type, title, status, detail, requestId: c.get('requestId'), errors };
  return c.body(JSON.stringify(body), status, { ...headers, 'Content-Type': PROBLEM_JSON });
}

const DESCRIPTIONS = {
  400: 'The input is invalid',
  404: 'Not found',
  409: 'Conflict with the current state',
  412: 'The user has changed since it was read',
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
    503: problemResponse('The database is unavailable'),
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

/** Replaces the 503 of {@link problems} where requests queue (concurrency-limit.ts). */
export const busyProblem = {
  503: problemResponse('The database is unavailable, or too many such requests are waiting', {
    'Retry-After': 'Seconds after which to try again, if too many are waiting',
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
