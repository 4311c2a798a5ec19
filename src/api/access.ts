/** Who may do what: every route says so in its description, and that is what is enforced. */
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';

import { findApiKey } from '../access/api-key.ts';
import type { Api, ApiDeps, ApiEnv } from './deps.ts';
import { isFromOwnMachine } from '../access/own-machine.ts';
import { type Problem, sendProblem } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';
import type { Scope } from '../access/scope.ts';

/** The name of the scheme in the OpenAPI document. */
export const API_KEY_SCHEME = 'apiKey';

/** Of a route's description: it takes a key with this scope. */
export function needs(scope: Scope) {
  return { security: [{ [API_KEY_SCHEME]: [scope] }] };
}

/** Of a route's description: it takes no key. */
export const OPEN: { readonly security: Record<string, string[]>[] } = { security: [] };

/** What is not in the OpenAPI document, and takes no key: the document, and the page made from it. */
const OPEN_PAGES = ['GET /openapi.json', 'GET /docs'];

/** The scopes that each route takes, by method and pattern; none: it is open. */
export type AccessTable = ReadonlyMap<string, readonly string[]>;

/**
 * Reads what every route says.
 *
 * @throws Error when one says nothing
 */
export function readAccess(app: Api): AccessTable {
  const table = new Map<string, readonly string[]>(OPEN_PAGES.map((page) => [page, []]));
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, security } = definition.route;
    const route = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    const scopes = security?.flatMap((scheme) => scheme[API_KEY_SCHEME] ?? []);
    // Only OPEN is open: a scheme without a scope is a slip.
    if (scopes === undefined || (security !== OPEN.security && scopes.length === 0)) {
      throw new Error(`${route} does not say who may call it`);
    }
    table.set(route, scopes);
  }
  return table;
}

/**
 * Lets through who may call the route that was matched, before the body is read. Without keys
 * that is this machine, which alone reaches the API then; a page in one of its browsers is not.
 */
export function requireAccess(
  table: () => AccessTable,
  { apiKeys, maxPerSecond }: Pick<ApiDeps, 'apiKeys' | 'maxPerSecond'>,
) {
  const limit = createRateLimit(maxPerSecond, () => performance.now());
  return createMiddleware<ApiEnv>(async (c, next): Promise<Response | void> => {
    const scopes = scopesOf(c, table());
    if (scopes.length === 0) return next();
    if (apiKeys.length === 0) {
      const isOwn = isFromOwnMachine(c.req.url, c.req.header('Origin'));
      return isOwn ? next() : sendProblem(c, OF_ANOTHER);
    }

    const presented = /^bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1];
    if (presented === undefined) return challenge(c, 'Bearer', NO_KEY);
    const key = findApiKey(apiKeys, presented);
    if (key === null) return challenge(c, 'Bearer error="invalid_token"', WRONG_KEY);
    c.set('keyName', key.name);
    const waitMs = limit.take(key.name);
    if (waitMs > 0) return slowDown(c, waitMs, maxPerSecond);
    const missing = scopes.filter((scope) => !key.scopes.some((has) => has === scope));
    if (missing.length > 0) return refuse(c, missing.join(' '));
    return next();
  });
}

/** Of all that will answer. What is matched and not in the table is a fault of ours, and closed. */
function scopesOf(c: Context<ApiEnv>, table: AccessTable): readonly string[] {
  // What checks a route's input is matched as the route is, and is one with it.
  const routes = new Set(
    matchedRoutes(c)
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`),
  );
  return [...routes].flatMap((route) => {
    const scopes = table.get(route);
    if (scopes === undefined) throw new Error(`${route} does not say who may call it`);
    return scopes;
  });
}

const OF_ANOTHER: Problem = {
  status: 403,
  code: 'not-this-machine',
  title: 'Without keys the API is for this machine alone',
  detail:
    'Ask it as localhost or a loopback address, and from no page elsewhere; or set API_KEYS, which npm run key:new makes.',
};

const NO_KEY: Problem = {
  status: 401,
  code: 'unauthenticated',
  title: 'A key is needed',
  detail: 'Send a key of this API as Authorization: Bearer <key>.',
};

const WRONG_KEY: Problem = {
  status: 401,
  code: 'unauthenticated',
  title: 'The key is not known',
  detail: 'It is none of those in API_KEYS, or it was taken out.',
};

/** The challenge as RFC 6750, 3 has it. */
function challenge(c: Context<ApiEnv>, authenticate: string, problem: Problem): Response {
  const answer = sendProblem(c, problem);
  answer.headers.set('WWW-Authenticate', authenticate);
  return answer;
}

function refuse(c: Context<ApiEnv>, scope: string): Response {
  return challenge(c, `Bearer error="insufficient_scope", scope="${scope}"`, {
    status: 403,
    code: 'insufficient-scope',
    title: 'The key may not do this',
    detail: `It lacks the scope ${scope}.`,
  });
}

function slowDown(c: Context<ApiEnv>, waitMs: number, maxPerSecond: number): Response {
  const answer = sendProblem(c, {
    status: 429,
    code: 'too-many-requests',
    title: 'The key has sent too many requests',
    detail: `It has ${maxPerSecond} a second. Nothing was done: send the request again later.`,
  });
  answer.headers.set('Retry-After', String(Math.ceil(waitMs / 1000)));
  return answer;
}
