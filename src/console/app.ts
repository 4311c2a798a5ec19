/** The operators' console: pages rendered on the server, on top of the API. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { html } from 'hono/html';
import { secureHeaders } from 'hono/secure-headers';

import { describeError, isServerAway } from '../platform/errors.ts';
import { HOME, requireOwnForms, requireVisitor, SIGN_IN } from './access.ts';
import { createApiClient } from './api-client.ts';
import { loadAssets } from './assets.ts';
import type { ConsoleApp, ConsoleDeps, ConsoleEnv, PageDeps } from './env.ts';
import { sendBarePage, sendPage } from './layout.ts';
import { NO_PAGE, PageError } from './page-error.ts';
import { registerAudit } from './pages/audit.ts';
import { registerComing } from './pages/coming.ts';
import { registerComingDue } from './pages/coming-due.ts';
import { registerDeliveries } from './pages/deliveries.ts';
import { registerFailed } from './pages/failed.ts';
import { receiveImport, registerImport } from './pages/import.ts';
import { registerLog } from './pages/log.ts';
import { registerOccasions } from './pages/occasions.ts';
import { registerOccurrence } from './pages/occurrence.ts';
import { registerPeople } from './pages/people.ts';
import { registerPersonChanges } from './pages/person-changes.ts';
import { registerPerson } from './pages/person.ts';
import { registerReceiver } from './pages/receiver.ts';
import { registerResend } from './pages/resend.ts';
import { registerToday } from './pages/today.ts';
import { createResults } from './results.ts';
import { createSessions } from './sessions.ts';
import { registerSignIn, registerSignOut } from './sign-in.ts';

/** Nothing from other hosts, no inline style, no inline script. */
const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  styleSrc: ["'self'"],
  scriptSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
};

/** Forms; files have a route of their own. */
const FORM_MAX_BYTES = 256 * 1024;

/** Where files are uploaded, which may take long. */
export const UPLOAD_PATH = `${HOME}/import`;

/** To be mounted at `/console`. */
export function createConsole(deps: ConsoleDeps): ConsoleApp {
  const app: ConsoleApp = new Hono<ConsoleEnv>();
  const sessions = createSessions(deps.orm, deps.apiKeys);
  const assets = loadAssets();

  app.use(
    secureHeaders({
      contentSecurityPolicy,
      // With `no-referrer`, browsers send `Origin: null` with the forms of our own pages.
      referrerPolicy: 'same-origin',
      strictTransportSecurity: false,
    }),
  );
  app.get('/assets/:name', assets.serve);
  app.use(async (c, next) => {
    c.set('assetUrl', assets.url);
    await next();
  });
  const signedIn = requireVisitor(deps, sessions);
  const pages: PageDeps = {
    ...deps,
    api: createApiClient(deps),
    results: createResults(deps.orm),
  };
  // Before the limit: a file is streamed, once its form proves to be one of ours.
  app.post('/import', signedIn, receiveImport(pages));
  app.use(bodyLimit({ maxSize: FORM_MAX_BYTES, onError: () => Promise.reject(TOO_LARGE) }));
  registerSignIn(app, deps, sessions);
  app.use(signedIn, requireOwnForms);
  registerSignOut(app, sessions);
  registerPeople(app, pages);
  registerPerson(app, pages);
  registerPersonChanges(app, pages);
  registerOccasions(app, pages);
  registerOccurrence(app, pages);
  registerFailed(app, pages);
  registerResend(app, pages);
  registerDeliveries(app, pages);
  registerReceiver(app, pages);
  registerLog(app, pages);
  registerToday(app, pages);
  registerComing(app, pages);
  registerComingDue(app, pages);
  registerAudit(app, pages);
  registerImport(app, pages);

  // The path is the console's own, even when no page matches: the API's errors are not for people.
  app.all('*', () => Promise.reject(NO_PAGE));
  app.onError((error, c) => {
    const page = error instanceof PageError ? error : ofError(error);
    if (page.status >= 500) {
      const { logger } = deps;
      const requestId = c.get('requestId');
      logger.error({ requestId, error: describeError(error) }, 'a page of the console failed');
    }
    const send = c.get('visitor') === undefined ? sendBarePage : sendPage;
    return send(c, {
      title: page.message,
      status: page.status,
      body: html`<p>${page.advice}</p>
        ${
          page.faults.length === 0
            ? ''
            : html`<ul class="error">
                ${page.faults.map(({ field, rule }) => html`<li><b>${field}</b> ${rule}</li>`)}
              </ul>`
        }
        ${
          page.status === 401
            ? html`<p><a href="${SIGN_IN}">Sign in</a></p>`
            : html`<p><a href="${HOME}">Today</a></p>`
        }`,
    });
  });
  return app;
}

/**
 * Errors only the console itself can meet, such as a database from which no sessions can be read.
 */
function ofError(error: Error): PageError {
  if (isServerAway(error)) {
    return new PageError(
      503,
      'The database is unavailable',
      'Nothing is lost: what is due is sent when it is back. Load the page again in a moment.',
    );
  }
  return new PageError(
    500,
    'Something went wrong in the console',
    'The log has the details under the X-Request-Id of this response.',
  );
}

const TOO_LARGE = new PageError(413, 'The form is too large', 'Files are imported under Import.');
