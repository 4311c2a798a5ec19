import { html, raw } from 'hono/html';

import type { Api } from './deps.ts';
import { DOCS_STYLE } from './docs-style.ts';

/** What the routes say of themselves. */
export type OpenApiDocument = ReturnType<Api['getOpenAPI31Document']>;

type Html = ReturnType<typeof html>;

/** As much of JSON Schema as the routes use. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly example?: unknown;
}

interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Content }>
  >;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

/**
 * The OpenAPI document as one page to read. It loads nothing, from here or elsewhere:
 * it works offline, and under a policy that forbids scripts.
 */
export function renderDocs(
  { info, tags, paths, components }: OpenApiDocument,
  nonce: string,
): Html {
  const operations = Object.entries(paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );
  const schemas = Object.entries((components?.schemas ?? {}) as Record<string, Schema>);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title} API</title>
        <style nonce="${nonce}">
          ${raw(DOCS_STYLE)}
        </style>
      </head>
      <body>
        <h1>${info.title} API</h1>
        <p>
          ${info.description} The document for programs is
          <a href="/openapi.json">/openapi.json</a>.
        </p>
        <nav>
          <ul>
            ${operations.map(
              ({ path, method, operation }) =>
                html`<li>
                  <a href="#${operation.operationId}"><code>${method} ${path}</code></a>
                  ${operation.summary}
                </li>`,
            )}
          </ul>
        </nav>
        ${(tags ?? []).map(
          (tag) =>
            html`<h2>${tag.name}</h2>
              <p>${tag.description}</p>
              ${operations
                .filter(({ operation }) => operation.tags.includes(tag.name))
                .map(({ path, method, operation }) => renderOperation(path, method, operation))}`,
        )}
        <h2>Bodies</h2>
        ${schemas.map(
          ([name, schema]) =>
            html`<section id="${name}">
              <h3>${name}</h3>
              ${renderFields(schema)}
            </section>`,
        )}
      </body>
    </html>`;
}

function renderOperation(path: string, method: string, operation: Operation): Html {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  return html`<section id="${operationId}">
    <h3><code>${method} ${path}</code> ${summary}</h3>
    ${description === undefined ? '' : html`<p>${description}</p>`}
    <p>${renderAccess(operation)}</p>
    <table>
      <thead>
        <tr>
          <th>It takes</th>
          <th>Type</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${parameters.map(
          (parameter) =>
            html`<tr>
              <td>
                <code>${parameter.name}</code> in
                ${parameter.in}${parameter.required === true ? ', required' : ''}
              </td>
              <td>${renderType(parameter.schema)}</td>
              <td>${parameter.description ?? notes(parameter.schema)}</td>
            </tr>`,
        )}
        ${
          requestBody === undefined
            ? ''
            : html`<tr>
                <td>body</td>
                <td>${renderContent(requestBody.content)}</td>
                <td></td>
              </tr>`
        }
      </tbody>
      <thead>
        <tr>
          <th>It answers</th>
          <th>Type</th>
          <th></th>
        </tr>
      </thead>
      <tbody>
        ${Object.entries(responses).map(
          ([status, response]) =>
            html`<tr>
              <td><code>${status}</code></td>
              <td>${response.content === undefined ? '' : renderContent(response.content)}</td>
              <td>${response.description}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function renderAccess({ security = [] }: Operation): Html {
  const scopes = security.flatMap((scheme) => Object.values(scheme).flat());
  return scopes.length === 0
    ? html`It takes no key.`
    : html`It takes a key with <code>${scopes.join(' ')}</code>.`;
}

function renderContent(content: Content): Html {
  return html`${Object.entries(content).map(([type, { schema }]) => html`${renderType(schema)} as <code>${type}</code>`)}`;
}

function renderFields(schema: Schema): Html {
  return html`<table>
    <thead>
      <tr>
        <th>Field</th>
        <th>Type</th>
        <th></th>
      </tr>
    </thead>
    <tbody>
      ${Object.entries(schema.properties ?? {}).map(
        ([name, field]) =>
          html`<tr>
            <td>
              <code>${name}</code>${schema.required?.includes(name) === true ? ', required' : ''}
            </td>
            <td>${renderType(field)}</td>
            <td>${notes(field)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function renderType(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return html`<a href="#${name}">${name}</a>`;
  }
  if (schema.anyOf !== undefined)
    return html`${schema.anyOf.map((one, at) => html`${at === 0 ? '' : ' or '}${renderType(one)}`)}`;
  if (schema.enum !== undefined) return html`${schema.enum.map(String).join(' | ')}`;
  if (schema.items !== undefined) return html`list of ${renderType(schema.items)}`;
  if (schema.properties !== undefined) return renderFields(schema);
  const types = [schema.type ?? 'any'].flat().join(' or ');
  return html`${types}${schema.format === undefined ? '' : ` (${schema.format})`}`;
}

function notes(schema: Schema): string {
  const { description, minLength, maxLength, minimum, maximum, example } = schema;
  return [
    description,
    minLength !== undefined && `At least ${minLength} code points`,
    maxLength !== undefined && `At most ${maxLength} code points`,
    minimum !== undefined && `From ${minimum}`,
    maximum !== undefined && `To ${maximum}`,
    schema.default !== undefined &&
      schema.default !== null &&
      `If absent: ${JSON.stringify(schema.default)}`,
    example !== undefined && `Such as ${JSON.stringify(example)}`,
  ]
    .filter((note) => typeof note === 'string')
    .join('. ');
}
