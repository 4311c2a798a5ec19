/** Building blocks of several pages. */
import { html } from 'hono/html';

import type { Html } from './layout.ts';

type Cell = string | number | Html;

export interface Table {
  /** Names the region, for those who cannot see that it scrolls sideways. */
  readonly label: string;
  /** What its rows are, and which of them. */
  readonly caption: string | Html;
  readonly columns: readonly (string | { readonly number: string })[];
  /** The first cell of each names the row. */
  readonly rows: readonly (readonly Cell[])[];
}

export function table({ label, caption, columns, rows }: Table): Html {
  const isNumber = (at: number): boolean => typeof columns[at] === 'object';
  const classOf = (at: number) => (isNumber(at) ? html`class="number"` : '');
  return html`<div class="table" tabindex="0" role="region" aria-label="${label}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(
            (column, at) =>
              html`<th scope="col" ${classOf(at)}>
                ${typeof column === 'string' ? column : column.number}
              </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...cells]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${cells.map((cell, at) => html`<td ${classOf(at + 1)}>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A link to the next page of a list; nothing on the last one. */
export function nextPage(
  path: string,
  query: Readonly<Record<string, string>>,
  nextCursor: string | null,
): Html {
  if (nextCursor === null) return html``;
  const next = new URLSearchParams({ ...query, cursor: nextCursor });
  return html`<p><a href="${path}?${next}" rel="next">Next page</a></p>`;
}

/** Numbers side by side, each with its name. */
export function figures(all: readonly (readonly [name: string, value: string | Html])[]): Html {
  return html`<dl class="figures">
    ${all.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

export function count(value: number): string {
  return value.toLocaleString('en');
}

/** With its noun: `1 row`, `1,200 rows`. */
export function countOf(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** In seconds up to a minute, in minutes or hours beyond. */
export function duration(ms: number): string {
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 7_200_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
