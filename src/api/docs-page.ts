import { html, raw } from 'hono/html';

import type { Api } from './deps.ts';

export type OpenApiDocument = ReturnType<Api['getOpenAPI31Document']>;

type Html = ReturnType<typeof html>;

interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body & { readonly description: string }>>;
}

interface Body {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Schema {
  readonly $ref?: string;
}

/** The OpenAPI document as one page. It loads nothing: it works offline, and without scripts. */
export function renderDocs(
  { info, tags = [], paths, components }: OpenApiDocument,
  nonce: string,
): Html {
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
        <ul>
          ${operations.map(
            ({ operation, route }) =>
              html`<li><a href="#${operation.operationId}">${route}</a> ${operation.summary}</li>`,
          )}
        </ul>
        ${tags.map(
          ({ name, description }) =>
            html`<h2>${name}</h2>
              <p>${description}</p>
              ${operations.filter(({ operation }) => operation.tags.includes(name)).map(renderOperation)}`,
        )}
        <h2>Schemas</h2>
        ${Object.entries(components?.schemas ?? {}).map(
          ([name, schema]) =>
            html`<h3 id="${name}">${name}</h3>
              <pre>${JSON.stringify(schema, null, 2)}</pre>`,
        )}
      </body>
    </html>`;
}

function renderOperation({ operation, route }: { operation: Operation; route: Html }): Html {
  const { operationId, summary, description = '', security = [] } = operation;
  const { parameters = [], requestBody, responses } = operation;
  const scopes = security.flatMap((scheme) => Object.values(scheme).flat());
  return html`<h3 id="${operationId}">${route} ${summary}</h3>
    <p>${description}</p>
    <p>
      ${scopes.length === 0 ? 'No API key is required.' : `Required scope: ${scopes.join(' ')}.`}
    </p>
    <table>
      ${parameters.map(
        (parameter) =>
          html`<tr>
            <td><code>${parameter.name}</code> (${parameter.in})</td>
            <td>${renderSchema(parameter.schema)}</td>
            <td>${parameter.description ?? ''}</td>
          </tr>`,
      )}
      ${requestBody && renderBody('Request body', requestBody, '')}
      ${Object.entries(responses).map(([status, response]) =>
        renderBody(status, response, response.description),
      )}
    </table>`;
}

function renderBody(name: string, { content = {} }: Body, description: string): Html {
  return html`<tr>
    <td>${name}</td>
    <td>
      ${Object.entries(content).map(([type, { schema }]) => html`${renderSchema(schema)} as ${type}`)}
    </td>
    <td>${description}</td>
  </tr>`;
}

function renderSchema(schema: Schema): Html {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined
    ? html`<code>${JSON.stringify(schema)}</code>`
    : html`<a href="#${name}">${name}</a>`;
}

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h2 { margin-top: 3rem; border-bottom: 1px solid; }
  h3 { margin-top: 2rem; font-weight: 600; }
  code, pre { font: 0.9em ui-monospace, monospace; }
  pre { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; }
  td { vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #8884; }
`;
