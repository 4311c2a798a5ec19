/** The frame of every page. */
import type { Context } from 'hono';
import { html, raw } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { Scope } from '../access/api-key.ts';
import { CSRF_FIELD, HOME } from './access.ts';
import type { ConsoleEnv, Visitor } from './env.ts';
import { takeNotice } from './notice.ts';

type Ctx = Context<ConsoleEnv>;
export type Html = ReturnType<typeof html>;

export interface Page {
  /** In the browser's tab and as the heading. */
  readonly title: string;
  readonly body: Html | readonly Html[];
  readonly status?: ContentfulStatusCode;
  /** How often the page refreshes itself while it is open; never by default. */
  readonly liveMs?: number;
}

/** In the order of the navigation; `scope` is what a page requires. */
const NAVIGATION: readonly { path: string; name: string; scope: Scope }[] = [
  { path: '', name: 'Today', scope: 'deliveries:read' },
  { path: '/coming', name: 'Coming', scope: 'deliveries:read' },
  { path: '/people', name: 'People', scope: 'users:read' },
  { path: '/failed', name: 'Failed', scope: 'deliveries:read' },
  { path: '/audit', name: 'Audit', scope: 'deliveries:read' },
  { path: '/deliveries', name: 'Deliveries', scope: 'deliveries:read' },
  { path: '/import', name: 'Import', scope: 'users:write' },
  { path: '/log', name: 'Log', scope: 'deliveries:read' },
];

/** The first page that the visitor may see; null if there is none. */
export function firstPage({ may }: Visitor): string | null {
  const first = NAVIGATION.find(({ scope }) => may(scope));
  return first === undefined ? null : HOME + first.path;
}

export function sendPage(c: Ctx, page: Page): Response | Promise<Response> {
  return c.html(renderPage(c, page), page.status ?? 200);
}

/** The same for a page whose content is streamed after `page.body`. */
export async function streamPage(
  c: Ctx,
  page: Page,
  parts: AsyncIterable<Html>,
): Promise<Response> {
  const whole = await renderPage(c, { ...page, body: html`${page.body}${raw(PARTS)}` });
  const [begin = '', end = ''] = whole.toString().split(PARTS);
  async function* texts(): AsyncGenerator<string> {
    yield begin;
    for await (const part of parts) yield (await part).toString();
    yield end;
  }
  return c.body(ReadableStream.from(texts()).pipeThrough(new TextEncoderStream()), 200, {
    'Content-Type': 'text/html; charset=utf-8',
    // For nginx, which otherwise holds the parts back until its buffer is full.
    'X-Accel-Buffering': 'no',
  });
}

const PARTS = '<!-- parts -->';

/** For a page without a signed-in visitor, and without navigation. */
export function sendBarePage(c: Ctx, page: Page): Response | Promise<Response> {
  return c.html(frame(c, page.title, main(c, page)), page.status ?? 200);
}

function renderPage(c: Ctx, page: Page): Html {
  const visitor = c.get('visitor');
  const { pathname } = new URL(c.req.url);
  const current = NAVIGATION.find(({ path }) => isWithin(pathname, HOME + path));
  const entries = NAVIGATION.filter(({ scope }) => visitor.may(scope)).map(
    (entry) =>
      html`<li>
        <a href="${HOME}${entry.path}" ${entry === current ? html`aria-current="page"` : ''}
          >${entry.name}</a
        >
      </li>`,
  );
  return frame(
    c,
    page.title,
    html`<header>
        <a class="skip" href="#main">Skip to the content</a>
        <nav aria-label="Console">
          <ul>
            ${entries}
          </ul>
        </nav>
        ${whoIsSignedIn(visitor)}
      </header>
      ${main(c, page)}`,
  );
}

function whoIsSignedIn(visitor: Visitor): Html {
  if (visitor.key === null) return html``;
  return html`<form class="who" method="post" action="${HOME}/sign-out">
    ${csrfField(visitor)}<span>${visitor.key.name}</span>
    <button>Sign out</button>
  </form>`;
}

/** Every form must contain it. */
export function csrfField({ csrf }: Pick<Visitor, 'csrf'>): Html {
  return html`<input type="hidden" name="${CSRF_FIELD}" value="${csrf}" />`;
}

function main(c: Ctx, { title, body, liveMs }: Page): Html {
  const notice = takeNotice(c);
  return html`<main id="main" tabindex="-1" ${liveMs ? html`data-live="${liveMs}"` : ''}>
    <h1>${title}</h1>
    ${notice === null ? '' : html`<p class="notice" role="status">${notice}</p>`} ${body}
  </main>`;
}

function frame(c: Ctx, title: string, body: Html): Html {
  const assetUrl = c.get('assetUrl');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Daybell</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${assetUrl('console.css')}" />
        <script type="module" src="${assetUrl('console.js')}"></script>
      </head>
      <body>
        ${body}
      </body>
    </html>`;
}

function isWithin(pathname: string, path: string): boolean {
  if (path === HOME) return pathname === HOME;
  return pathname === path || pathname.startsWith(`${path}/`);
}
