/** Who may use the console: sessions by cookie, and forms that must come from its own pages. */
import { createHmac } from 'node:crypto';

import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { createMiddleware } from 'hono/factory';

import type { ApiKey, Scope } from '../access/api-key.ts';
import { isFromOwnMachine } from '../access/own-machine.ts';
import type { ConsoleDeps, ConsoleEnv, Visitor } from './env.ts';
import { PageError } from './page-error.ts';
import { isSameToken, newToken, SESSION_HOURS, type Sessions } from './sessions.ts';

export const HOME = '/console';
export const SIGN_IN = `${HOME}/sign-in`;
const COOKIE = 'daybell_console';

type Ctx = Context<ConsoleEnv>;

/** Requires a sign-in; without configured keys, only that the request comes from this machine. */
export function requireVisitor({ apiKeys }: ConsoleDeps, sessions: Sessions) {
  return createMiddleware<ConsoleEnv>(async (c, next): Promise<Response | void> => {
    c.header('Cache-Control', 'no-store');
    if (apiKeys.length === 0) {
      if (!isFromOwnMachine(c.req.url, c.req.header('Origin'))) throw NOT_THIS_MACHINE;
      c.set('visitor', { key: null, csrf: csrfOfBrowser(c), may: () => true });
    } else {
      const token = getCookie(c, COOKIE);
      // A response to a form can take minutes, as with a file, and would bring a new token only
      // then.
      const mayRotate = c.req.method === 'GET';
      const session = token === undefined ? null : await sessions.find(token, mayRotate);
      if (session === null) return toSignIn(c);
      if (session.newToken !== null) keepToken(c, session.newToken);
      c.set('visitor', signedIn(session.key, session.csrf));
      c.set('keyName', session.key.name);
    }
    return next();
  });
}

/** Lets through forms of the session's own pages. */
export const requireOwnForms = createMiddleware<ConsoleEnv>(async (c, next) => {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
    await requireCsrf(c, c.get('visitor').csrf);
  }
  await next();
});

function signedIn(key: ApiKey, csrf: string): Visitor {
  return { key, csrf, may: (scope) => key.scopes.includes(scope) };
}

/**
 * A form that was open meanwhile cannot be resent automatically: its input would be lost silently.
 */
function toSignIn(c: Ctx): Response {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') throw SESSION_OVER;
  const { pathname, search } = new URL(c.req.url);
  const back = pathname === HOME ? '' : `?next=${encodeURIComponent(pathname + search)}`;
  return c.redirect(SIGN_IN + back, 303);
}

/** The CSRF field of every form. */
export const CSRF_FIELD = 'csrf';
/** The type of all forms but the one with a file, so that every field is text. */
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

/** @throws PageError if the request does not come from a page that this session was shown */
export async function requireCsrf(c: Ctx, expected: string): Promise<void> {
  if (!FORM_TYPE.test(c.req.header('Content-Type') ?? '')) throw FOREIGN_FORM;
  const given = (await c.req.parseBody())[CSRF_FIELD];
  if (typeof given !== 'string' || !isSameToken(given, expected)) throw FOREIGN_FORM;
}

/**
 * The token of a browser that is not signed in: its cookie is one of its own, which is not stored.
 */
export function csrfOfBrowser(c: Ctx): string {
  let token = getCookie(c, COOKIE);
  if (token === undefined) {
    token = newToken();
    keepToken(c, token);
  }
  return createHmac('sha256', token).update('csrf').digest('base64url');
}

export async function signIn(c: Ctx, sessions: Sessions, key: ApiKey): Promise<void> {
  // A token that the browser had before may be known to others: end its session too.
  await endSession(c, sessions);
  keepToken(c, await sessions.start(key));
}

export async function signOut(c: Ctx, sessions: Sessions): Promise<void> {
  await endSession(c, sessions);
  deleteCookie(c, COOKIE, { path: HOME });
}

async function endSession(c: Ctx, sessions: Sessions): Promise<void> {
  const token = getCookie(c, COOKIE);
  if (token !== undefined) await sessions.end(token);
}

/** Lax, not Strict: links from tickets and mails lead to the page, not to the sign-in. */
function keepToken(c: Ctx, token: string): void {
  setCookie(c, COOKIE, token, {
    path: HOME,
    httpOnly: true,
    sameSite: 'Lax',
    secure: isTls(c),
    maxAge: SESSION_HOURS * 3600,
  });
}

/**
 * TLS ends at a proxy in front of the API, which says so in a header; of several, the first counts.
 */
function isTls(c: Ctx): boolean {
  const [outermost] = (c.req.header('X-Forwarded-Proto') ?? '').split(',');
  return outermost?.trim() === 'https' || c.req.url.startsWith('https:');
}

/** For a form that is useless without a scope. @throws PageError */
export function requireScope({ may }: Visitor, scope: Scope): void {
  if (may(scope)) return;
  const needs = `This page requires the scope ${scope}.`;
  throw new PageError(403, 'Your key lacks a required scope', needs);
}

const NOT_THIS_MACHINE = new PageError(
  403,
  'Without API keys, only this machine may use the console',
  'Open it by localhost or a loopback address; or set API_KEYS: npm run key:new makes a key.',
);

const SESSION_OVER = new PageError(
  401,
  'Your session has ended',
  'Nothing was changed. Sign in in another tab, go back to the form, load it again and send it.',
);

export const FOREIGN_FORM = new PageError(
  403,
  'This form does not belong to your session',
  'Nothing was changed. Load the page again and send the form from there.',
);
