import { html, raw } from 'hono/html';

import type { Api } from './deps.ts';

export type OpenApiDocument = ReturnType<Api['getOpenAPI31Document']>;

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
export function renderDocs({ info, tags = [], paths, components }: OpenApiDocument, nonce: string) {
  const operations = Object.entries(paths ?? {}).flatMap(([path, methods]) =>
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
