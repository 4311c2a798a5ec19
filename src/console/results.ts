/**
 * The result of a form, kept for the page that follows it, so that reloading sends nothing again.
 */
import type { Context } from 'hono';
import { html, raw } from 'hono/html';

import { hashToken } from '../access/bearer.ts';
import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { ConsoleEnv } from './env.ts';
import { type Html, sendPage } from './layout.ts';
import { PageError } from './page-error.ts';

type Ctx = Context<ConsoleEnv>;

/** Long enough to read and to download; short, since an import's refused rows are personal data. */
const KEPT = '10 minutes';

export interface Result {
  readonly title: string;
  readonly body: Html;
}

export type Results = ReturnType<typeof createResults>;

/** In the database, since another process may serve the page; only the same session sees it. */
export function createResults(orm: Orm) {
  const query = queryOf(orm);

  return {
    /** Returns the id for the address of the page. */
    async keep(c: Ctx, { title, body }: Result): Promise<string> {
      const text = (await body).toString();
      const [kept] = await query<{ id: string }>(KEEP, { owner: ownerOf(c), title, body: text });
      return kept?.id ?? '';
    },

    /** @throws PageError if it is no longer kept, or belongs to another session */
    async send(c: Ctx, id: string): Promise<Response> {
      const [found] = await query<{ title: string; body: string }>(FIND, { id, owner: ownerOf(c) });
      if (found === undefined) throw NOT_KEPT;
      return sendPage(c, { title: found.title, body: html`${raw(found.body)}` });
    },
  };
}

function ownerOf(c: Ctx): string {
  return hashToken(c.get('visitor').csrf).toString('hex');
}

const KEEP = `
  with old as (delete from events.console_results where expires_at <= events.clock())
  insert into events.console_results (owner, title, body, expires_at)
  values (:owner, :title, :body, events.clock() + interval '${KEPT}')
  returning id`;

const FIND = `
  select title, body from events.console_results
  where id::text = :id and owner = :owner and expires_at > events.clock()`;

const NOT_KEPT = new PageError(
  404,
  'This result is no longer kept',
  `It is kept for ${KEPT}, for the browser that sent the form. The log says what was done.`,
);
