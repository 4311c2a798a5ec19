/** Access control: every route declares its scope in its OpenAPI description, and that is enforced. */
import type { RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';

import { findApiKey, type Scope } from '../access/api-key.ts';
import { bearerToken } from '../access/bearer.ts';
import { isFromOwnMachine } from '../access/own-machine.ts';
import type { Api, ApiDeps, ApiEnv } from './deps.ts';
import { type Problem, ProblemError, sendProblem } from './problem.ts';
import { createRateLimit } from '../access/rate-limit.ts';

/** The name of the scheme in the OpenAPI document. */
export const API_KEY_SCHEME = 'apiKey';

/** The groups of the OpenAPI document. */
type Tag = 'Users' | 'Occasions' | 'Occurrences' | 'Occasion types' | 'Deliveries' | 'Operation';

/** For a route's description: requires a key with this scope, and belongs to this group. */
export function needs(scope: Scope, tag: Tag) {
  return { security: [{ [API_KEY_SCHEME]: [scope] }], tags: [tag] };
}

/** For a route's description: requires no key. */
export const OPEN: { readonly security: Record<string, string[]>[] } = { security: [] };

/** Requires no key, and is not in the OpenAPI document: the document itself. */
const OPEN_PAGES = ['GET /openapi.json'];

/** The scopes that each route requires, by method and pattern; none for an open route. */
export type AccessTable = ReadonlyMap<string, readonly string[]>;

/**
 * Collects what all routes declare.
 *
 * @throws Error if a route declares nothing
 */
export function readAccess(app: Api): AccessTable {
  const table = new Map<string, readonly string[]>(OPEN_PAGES.map((page) => [page, []]));
  for (const [route, { security }] of routesOf(app)) {
    const scopes = security?.flatMap((scheme) => scheme[API_KEY_SCHEME] ?? []);
    // Only OPEN is open: a scheme without a scope is a mistake.
    if (scopes === undefined || (security !== OPEN.security && scopes.length === 0)) {
      throw undeclared(route);
    }
    table.set(route, scopes);
  }
  return table;
}

/** All that are described, each by the method and pattern that the router has. */
export function routesOf(app: Api): [name: string, route: RouteConfig][] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return [];
    const { method, path } = definition.route;
    const name = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    return [[name, definition.route]];
  });
}

function undeclared(route: string): Error {
  return new Error(`${route} does not declare who may call it`);
}

/**
 * Checks the key before the body is read. Without configured keys only this machine reaches the
 * API, and then foreign pages in its browsers are refused.
 */
export function requireAccess(
  table: () => AccessTable,
  { apiKeys, maxPerSecond }: Pick<ApiDeps, 'apiKeys' | 'maxPerSecond'>,
) {
  const limit = createRateLimit(maxPerSecond, () => performance.now());
  const problemOf = (c: Context<ApiEnv>): Problem | null => {
    const scopes = scopesOf(c, table());
    if (scopes.length === 0) return null;
    const { console } = c.env ?? {};
    if (apiKeys.length === 0) {
      if (console !== undefined) return null;
      return isFromOwnMachine(c.req.url, c.req.header('Origin')) ? null : FOREIGN;
    }

    const presented = bearerToken(c.req.header('Authorization'));
    const key = console?.key ?? (presented === null ? null : findApiKey(apiKeys, presented));
    if (key === null) return presented === null ? NO_KEY : INVALID_KEY;
    c.set('keyName', key.name);
    const waitMs = limit.take(key.name);
    if (waitMs > 0) return tooManyRequests(waitMs, maxPerSecond);
    const missing = scopes.filter((scope) => !key.scopes.some((has) => has === scope));
    return missing.length > 0 ? insufficientScope(missing.join(' ')) : null;
  };
  return createMiddleware<ApiEnv>(async (c, next): Promise<Response | void> => {
    const problem = problemOf(c);
    return problem === null ? next() : sendProblem(c, problem);
  });
}

/**
 * For a scope that only some uses of a route require.
 *
 * @throws ProblemError if the key of the request lacks it
 */
export function requireScope(
  c: Context<ApiEnv>,
  { apiKeys }: Pick<ApiDeps, 'apiKeys'>,
  scope: Scope,
): void {
  const key = apiKeys.find(({ name }) => name === c.get('keyName'));
  // Without configured keys, anyone who reaches the API may do everything.
  if (apiKeys.length === 0 || key?.scopes.includes(scope)) return;
  throw new ProblemError(insufficientScope(scope));
}

/** Of every route that matched. A route missing from the table is our mistake, and stays closed. */
function scopesOf(c: Context<ApiEnv>, table: AccessTable): readonly string[] {
  // The validators of a route's input match as separate handlers of the same route.
  const routes = new Set(
    matchedRoutes(c)
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`),
  );
  const scopes = [...routes].flatMap((route) => {
    const declared = table.get(route);
    if (declared === undefined) throw undeclared(route);
    return declared;
  });
  return [...new Set(scopes)];
}

const FOREIGN: Problem = {
  status: 403,
  code: 'not-this-machine',
  title: 'Without API keys, only this machine may use the API',
  detail:
    'Call it by localhost or a loopback address, and not from a page of another origin; or set API_KEYS: npm run key:new makes a key.',
};

/** The challenges in `WWW-Authenticate` follow RFC 6750, section 3. */
const NO_KEY: Problem = {
  status: 401,
  code: 'unauthenticated',
  title: 'An API key is required',
  detail: 'Send it as Authorization: Bearer <key>.',
  headers: { 'WWW-Authenticate': 'Bearer' },
};

const INVALID_KEY: Problem = {
  ...NO_KEY,
  title: 'The API key is invalid',
  detail: 'It is not in API_KEYS, or was removed.',
  headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
};

function insufficientScope(scope: string): Problem {
  return {
    status: 403,
    code: 'insufficient-scope',
    title: 'The API key lacks a required scope',
    detail: `This request requires the scope ${scope}.`,
    headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
  };
}

function tooManyRequests(waitMs: number, maxPerSecond: number): Problem {
  return {
    status: 429,
    code: 'too-many-requests',
    title: 'Too many requests',
    detail: `A key may send ${maxPerSecond} requests a second. This one was not processed: send it again later.`,
    headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
  };
}
