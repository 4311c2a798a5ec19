/** Lists of occurrences at a terminal or as CSV, page by page, with the people behind them. */
import { z } from 'zod';

import type { BelongsTo } from '../ledger/people.ts';
import { csvCell } from '../platform/csv.ts';

type Item = object & BelongsTo;

/** So many of one request; the API allows no more. */
export const LIST_PAGE = 200;

const PageSchema = z.object({
  occurrences: z.array(
    z.looseObject({
      user: z
        .object({ externalId: z.string().nullable(), firstName: z.string(), lastName: z.string() })
        .nullable(),
      occasionExternalId: z.string().nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

/** All pages of a list of the API. @param path with its query */
export async function* pagesOfApi(
  ask: (path: string) => Promise<unknown>,
  path: string,
): AsyncGenerator<readonly Item[]> {
  const [route = '', query] = path.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('include', 'user');
  parameters.set('limit', String(LIST_PAGE));
  let cursor: string | null = null;
  do {
    if (cursor !== null) parameters.set('cursor', cursor);
    const page = PageSchema.parse(await ask(`${route}?${parameters.toString()}`));
    yield page.occurrences;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

/** Prints one occurrence a line: with CSV under a header, for a spreadsheet or another program. */
export async function printList(
  pages: AsyncIterable<readonly Item[]>,
  columns: readonly string[],
  isCsv: boolean,
): Promise<void> {
  const names = [...columns, 'externalId', 'firstName', 'lastName', 'occasionExternalId'];
  if (isCsv) process.stdout.write(`${names.join(',')}\r\n`);
  for await (const page of pages) {
    const lines = page.map((item) => {
      const values: Readonly<Record<string, unknown>> = { ...item, ...item.user };
      const cells = names.map((name) => textOf(values[name]));
      return isCsv ? `${cells.map(csvCell).join(',')}\r\n` : `${cells.map(plainCell).join('  ')}\n`;
    });
    process.stdout.write(lines.join(''));
  }
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value as string | number | boolean);
}

/** A name is the user's own words: no control characters at a terminal. */
function plainCell(text: string): string {
  return text === '' ? '-' : text.replaceAll(/\p{Cc}/gu, ' ');
}
