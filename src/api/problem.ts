import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { FieldFault } from '../users/errors.ts';
import type { ApiEnv } from './deps.ts';

/** An error as the API tells it: RFC 9457. */
export interface Problem {
  readonly status: ContentfulStatusCode;
  /** Ends the type's URI; stable, for programs. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
}

const PROBLEM_JSON = 'application/problem+json';

export const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:daybell:problem:invalid-input' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    requestId: z.string().openapi({ description: 'Find it in the log by this' }),
    errors: z
      .array(
        z.object({
          field: z.string().openapi({ example: 'timezone' }),
          rule: z.string().openapi({ example: 'is required' }),
        }),
      )
      .optional()
      .openapi({ description: 'Every fault of the input, each field with its rule' }),
  })
  .openapi('Problem');

/** Answers with a problem; the request's id leads to its line in the log. */
export function sendProblem(c: Context<ApiEnv>, problem: Problem): Response {
  const { code, title, status, detail, errors } = problem;
  const body = {
    type: `urn:daybell:problem:${code}`,
    title,
    status,
    detail,
    requestId: c.get('requestId'),
    errors,
  };
  return c.body(JSON.stringify(body), status, { 'Content-Type': PROBLEM_JSON });
}

const TITLES = {
  400: 'The input breaks a rule',
  404: 'There is no such thing',
  409: 'It collides with what is there',
  412: 'It has changed since it was read',
  413: 'The body is too large',
  415: 'The body is not JSON',
  422: 'The idempotency key was used for another request',
} as const;

/** The responses of a route that takes a key which are errors, for its description. */
export function problems(...statuses: (keyof typeof TITLES)[]) {
  const listed = statuses.map((status) => [status, problemResponse(TITLES[status])] as const);
  return {
    ...(Object.fromEntries(listed) as Record<number, ReturnType<typeof problemResponse>>),
    ...accessProblems,
    500: problemResponse('Something went wrong inside; the id is also in the log'),
    503: problemResponse('The database is away'),
  };
}

/** Of every route that takes a key. */
export const accessProblems = {
  401: problemResponse('There is no key, or it is not known', {
    'WWW-Authenticate': 'The challenge of RFC 6750',
  }),
  403: problemResponse('The key lacks the scope; without keys, it was not asked by this machine', {
    'WWW-Authenticate': 'The challenge of RFC 6750, with the scope that it lacks',
  }),
  429: problemResponse('The key has sent too many requests', {
    'Retry-After': 'In how many seconds to send the request again',
  }),
};

/** Of a route that takes turns, instead of the 503 of the others. */
export const busyProblem = {
  503: problemResponse('The database is away, or too many wait for the same already', {
    'Retry-After': 'In how many seconds to send the request again, if too many wait',
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
