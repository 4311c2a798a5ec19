/** A message about a change, on the page that follows it. */
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';

import type { ConsoleEnv } from './env.ts';

type Ctx = Context<ConsoleEnv>;

const COOKIE = 'daybell_notice';
const PATH = '/console';
/** A cookie is limited to 4 KB. */
const LONGEST = 500;

/** Redirects after a change, so that reloading or going back does not repeat it. */
export function redirectWith(c: Ctx, notice: string, to: string): Response {
  setCookie(c, COOKIE, notice.slice(0, LONGEST), {
    path: PATH,
    httpOnly: true,
    sameSite: 'Strict',
    maxAge: 60,
  });
  return c.redirect(to, 303);
}

/** The notice to show now, once; null if there is none. */
export function takeNotice(c: Ctx): string | null {
  // Not to a script: a live page in another tab would take it from the page it is meant for.
  if (c.req.header('Sec-Fetch-Dest') === 'empty') return null;
  const notice = getCookie(c, COOKIE);
  if (notice === undefined) return null;
  deleteCookie(c, COOKIE, { path: PATH });
  return notice;
}
