import { html, raw } from 'hono/html';
import { NONCE } from 'hono/secure-headers';

import { API_KEY_SCHEME } from './access.ts';
import type { Api } from './deps.ts';

type OpenApiDocument = ReturnType<Api['getOpenAPI31Document']>;

/** /openapi.json, generated from the routes, and /docs, generated from that. Call it after the routes. */
export function registerOpenApi(app: Api): void {
  const document = describeApi(app);
  app.get('/openapi.json', (c) => c.json(document));
  app.get('/docs', (c) => c.html(renderDocs(document, c.get('secureHeadersNonce') ?? '')));
}

function describeApi(app: Api): OpenApiDocument {
  app.openAPIRegistry.registerComponent('securitySchemes', API_KEY_SCHEME, {
    type: 'http',
    scheme: 'bearer',
    description:
      'A key from API_KEYS; each route names the scope that it requires. An API without configured keys accepts requests without one, but listens on loopback only.',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Daybell',
      version: '1.0.0',
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
      description:
        "Posts a signed webhook at 9:00 on each user's birthday, in the user's own time zone. Errors are problem documents (RFC 9457). Unknown fields and parameters are rejected.",
    },
    servers: [{ url: '/' }],
    security: [],
    tags: [
      { name: 'Users', description: 'Names, dates of birth and time zones.' },
      {
        name: 'Occasions',
        description:
          'What is due for a user besides the birthday: anniversaries, reminders, renewals.',
      },
      { name: 'Occurrences', description: 'What is due when, and what became of it.' },
      {
        name: 'Occasion types',
        description: 'Message, times and destination of each kind of occasion.',
      },
      { name: 'Deliveries', description: 'All deliveries together: state, pause and resume.' },
      { name: 'Webhooks', description: 'What is posted to your receiver.' },
      { name: 'Operation', description: 'Audit, forecast, test event, health and metrics.' },
    ],
  });
}

/** Pages may load nothing but their own style, so that they work offline. */
export const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  styleSrc: [NONCE],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};

type Html = ReturnType<typeof html>;

/** What every operation of ours has; the rest is shown as it is. */
interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

/** The OpenAPI document as one page. It loads nothing: it works offline, and without scripts. */
function renderDocs(document: OpenApiDocument, nonce: string) {
  const { info, tags = [], paths, webhooks, components } = document;
  const operations = Object.entries({ ...paths, ...webhooks }).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      operation,
      route: html`<code>${method.toUpperCase()} ${path}</code>`,
    })),
  );
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title} API</title>
        <style nonce="${nonce}">
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>${info.title} API</h1>
        <p>${info.description} For programs: <a href="/openapi.json">/openapi.json</a>.</p>
        ${tags.map(
          (tag) =>
            html`<h2>${tag.name}</h2>
              <p>${tag.description}</p>
              ${operations
                .filter(({ operation }) => operation.tags.includes(tag.name))
                .map(renderOperation)}`,
        )}
        <h2>Schemas</h2>
        ${Object.entries(components?.schemas ?? {}).map(
          ([name, schema]) =>
            html`<h3 id="${name}">${name}</h3>
              ${renderJson(schema)}`,
        )}
      </body>
    </html>`;
}

function renderOperation({ route, operation }: { route: Html; operation: Operation }): Html {
  const { tags: _tags, operationId, summary, description, security, ...rest } = operation;
  const scopes = security.flatMap((scheme) => Object.values(scheme).flat());
  return html`<h3 id="${operationId}"><a href="#${operationId}">${route}</a> ${summary}</h3>
    <p>${description}</p>
    <p>
      ${scopes.length === 0 ? 'No API key is required.' : `Required scope: ${scopes.join(' ')}.`}
    </p>
    <details>
      <summary>Parameters, body and responses</summary>
      ${renderJson(rest)}
    </details>`;
}

/** With links to the schemas that it refers to. */
function renderJson(value: unknown): Html {
  const parts = JSON.stringify(value, null, 2).split(/"#\/components\/schemas\/(\w+)"/);
  const links = parts.map((part, at) =>
    at % 2 === 0 ? part : html`<a href="#${part}">${part}</a>`,
  );
  return html`<pre>${links}</pre>`;
}

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h2 { margin-top: 3rem; border-bottom: 1px solid; }
  h3 { margin-top: 2rem; font-weight: 600; }
  pre { overflow-x: auto; }
`;
