/** Downloads lists of the API as CSV, page by page. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Context } from 'hono';

import { csvCell } from '../platform/csv.ts';
import type { ConsoleEnv } from './env.ts';
import { PageError } from './page-error.ts';

/** One page of a list, and where the next one begins. */
export interface ListPage<Item> {
  readonly occurrences: readonly Item[];
  readonly nextCursor: string | null;
}

export type Column<Item> = readonly [name: string, valueOf: (item: Item) => string | number | null];

const AGAIN_AFTER_MS = 1_000;
/** For one page, when other callers get in the way. */
const TRIES = 30;

/**
 * Responds with a file that is written as it is read. The first part is read before the response
 * begins, so that an invalid request is answered with a page.
 */
export async function sendCsv<Item>(
  c: Context<ConsoleEnv>,
  fileName: string,
  columns: readonly Column<Item>[],
  readPage: (cursor: string | null) => Promise<ListPage<Item>>,
): Promise<Response> {
  const first = await readPage(null);
  const parts = textOf(columns, first, (cursor) => patiently(() => readPage(cursor)));
  return c.body(ReadableStream.from(parts).pipeThrough(new TextEncoderStream()), 200, {
    'Content-Type': 'text/csv; charset=utf-8',
    'Content-Disposition': `attachment; filename="${fileName}"`,
    'X-Accel-Buffering': 'no',
  });
}

async function* textOf<Item>(
  columns: readonly Column<Item>[],
  first: ListPage<Item>,
  readPage: (cursor: string) => Promise<ListPage<Item>>,
): AsyncGenerator<string> {
  yield line(columns.map(([name]) => name));
  for (let page = first; ; page = await readPage(page.nextCursor)) {
    const { occurrences } = page;
    yield occurrences.map((item) => line(columns.map(([, valueOf]) => valueOf(item)))).join('');
    if (page.nextCursor === null) return;
  }
}

/** Retries after a wait when the key has made too many requests, or too many others are waiting. */
async function patiently<Value>(read: () => Promise<Value>): Promise<Value> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      const isBusy = error instanceof PageError && (error.status === 429 || error.status === 503);
      if (!isBusy || tries === TRIES) throw error;
    }
    await sleep(AGAIN_AFTER_MS);
  }
}

function line(values: readonly (string | number | null)[]): string {
  return `${values.map((value) => csvCell(value === null ? '' : String(value))).join(',')}\r\n`;
}
