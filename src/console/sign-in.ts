/** Signing in with an API key, and out. */
import { html } from 'hono/html';

import { findApiKey } from '../access/api-key.ts';
import { createRateLimit } from '../access/rate-limit.ts';
import { csrfOfBrowser, HOME, requireCsrf, SIGN_IN, signIn, signOut } from './access.ts';
import type { ConsoleApp, ConsoleDeps } from './env.ts';
import { csrfField, sendBarePage } from './layout.ts';
import { PageError } from './page-error.ts';
import type { Sessions } from './sessions.ts';

/** Keys of 256 bits cannot be guessed; this stops a script with an old key from filling the log. */
const ATTEMPTS_PER_SECOND = 5;

export function registerSignIn(
  app: ConsoleApp,
  { apiKeys, logger }: ConsoleDeps,
  sessions: Sessions,
) {
  const limit = createRateLimit(ATTEMPTS_PER_SECOND, () => performance.now());

  app.get('/sign-in', (c) => {
    c.header('Cache-Control', 'no-store');
    if (apiKeys.length === 0) return c.redirect(HOME, 303);
    return sendBarePage(c, {
      title: 'Sign in',
      body: signInForm(csrfOfBrowser(c), c.req.query('next') ?? ''),
    });
  });

  app.post('/sign-in', async (c) => {
    c.header('Cache-Control', 'no-store');
    await requireCsrf(c, csrfOfBrowser(c));
    const { key: presented, next } = await c.req.parseBody();
    const key = typeof presented === 'string' ? findApiKey(apiKeys, presented.trim()) : null;
    if (key === null) {
      // Only failed attempts count, so that a stranger cannot lock out an operator with a key.
      if (limit.take('') > 0) throw TOO_MANY;
      logger.warn({ requestId: c.get('requestId') }, 'a sign-in to the console was refused');
      return sendBarePage(c, {
        title: 'Sign in',
        status: 401,
        body: html`<p class="error" role="alert">
            This is not a key of API_KEYS, or it was removed.
          </p>
          ${signInForm(csrfOfBrowser(c), String(next ?? ''))}`,
      });
    }
    await signIn(c, sessions, key);
    logger.info({ requestId: c.get('requestId'), key: key.name }, 'signed in to the console');
    return c.redirect(ownPath(next), 303);
  });
}

export function registerSignOut(app: ConsoleApp, sessions: Sessions): void {
  app.post('/sign-out', async (c) => {
    await signOut(c, sessions);
    return c.redirect(SIGN_IN, 303);
  });
}

/** The page that was requested before the sign-in; never one of another site. */
function ownPath(next: unknown): string {
  if (typeof next !== 'string' || !next.startsWith(HOME)) return HOME;
  // Parsed as a browser would, which drops line breaks and resolves `..`.
  const { pathname, search } = new URL(next, 'http://localhost');
  return /^\/console(?:\/|$)/.test(pathname) ? pathname + search : HOME;
}

function signInForm(csrf: string, next: string) {
  return html`<form method="post" action="${SIGN_IN}" class="narrow">
    ${csrfField({ csrf })}<input type="hidden" name="next" value="${next}" />
    <label for="key">API key</label>
    <input
      id="key"
      name="key"
      type="password"
      autocomplete="current-password"
      required
      autofocus
      aria-describedby="key-hint"
    />
    <p id="key-hint" class="hint">
      One of API_KEYS, as <code>npm run key:new</code> printed it. Its scopes decide what you see.
    </p>
    <button>Sign in</button>
  </form>`;
}

const TOO_MANY = new PageError(
  429,
  'Too many attempts to sign in',
  'Wait a few seconds and try again.',
);
