/** Lists of occurrences at a terminal or as CSV, page by page, with the users they belong to. */
import { z } from 'zod';

import { type Belonging, type BelongsTo, createFindPeople } from '../ledger/people.ts';
import { csvCell } from '../platform/csv.ts';
import { isoInstant } from '../time/instant.ts';
import { answerFrom, type DatabaseSource } from './answer.ts';

type Printed = object & BelongsTo;

/** The page size; the API allows no more. */
export const LIST_PAGE = 200;

/** A list that both the API and the database can answer. */
interface List<Item, Place> {
  /** For error messages. */
  readonly name: string;
  /** A path of the API, with its query. */
  readonly path: string;
  readonly columns: readonly string[];
  /** At most LIST_PAGE items; `place` is null for the first page. */
  readonly readPage: (
    database: DatabaseSource,
    place: Place | null,
  ) => Promise<{ readonly items: readonly Item[]; readonly next: Place | null }>;
}

type Listed = Belonging & { readonly dueAt: number | null };

/** Prints all pages of a list. Returns the exit code. */
export function printList<Item extends Listed, Place>(
  list: List<Item, Place>,
  isCsv: boolean,
): Promise<number> {
  return answerFrom(list.name, async (source) => {
    const pages =
      source.kind === 'api' ? pagesOfApi(source.ask, list.path) : pagesOfDatabase(source, list);
    await printPages(pages, list.columns, isCsv);
    return 0;
  });
}

async function* pagesOfDatabase<Item extends Listed, Place>(
  database: DatabaseSource,
  { readPage }: List<Item, Place>,
) {
  const findPeople = createFindPeople(database.orm);
  let place: Place | null = null;
  do {
    const page = await readPage(database, place);
    yield await findPeople(page.items.map((item) => ({ ...item, dueAt: isoInstant(item.dueAt) })));
    place = page.next;
  } while (place !== null);
}

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

async function* pagesOfApi(
  ask: (path: string) => Promise<unknown>,
  path: string,
): AsyncGenerator<readonly Printed[]> {
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

/** One occurrence a line; as CSV with a header, for a spreadsheet or another program. */
async function printPages(
  pages: AsyncIterable<readonly Printed[]>,
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

/** A name is free text: no control characters may reach a terminal. */
function plainCell(text: string): string {
  return text === '' ? '-' : text.replaceAll(/\p{Cc}/gu, ' ');
}
