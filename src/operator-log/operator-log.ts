/**
 * Records who changed what, and when: a row for each change by an operator, without personal data.
 */
import { literal, ms, queryOf, requestQueryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

/** What is known of a change before it is made. */
export interface OperatorChange {
  /** The name of the API key; null where there are no keys. */
  readonly actor: string | null;
  readonly via: 'api' | 'console';
  /** The operationId of the API's route. */
  readonly action: string;
  /** A user's id, an occurrence's key, a destination or an occasion type; null for none or several. */
  readonly subject: string | null;
}

/** JSON without personal data: ids, filters, counts. */
export type OperatorLogDetail = Readonly<Record<string, unknown>>;

export interface OperatorLogEntry extends OperatorChange {
  readonly id: string;
  /** Epoch ms. */
  readonly at: number;
  readonly detail: OperatorLogDetail;
  /** HTTP status; null while it runs, and for good if the process ended meanwhile. */
  readonly outcome: number | null;
}

export interface OperatorLogFilter {
  readonly subject: string | null;
  readonly actor: string | null;
  /** Epoch ms; `to` is exclusive. */
  readonly from: number | null;
  readonly to: number | null;
}

export type OperatorLog = ReturnType<typeof createOperatorLog>;

export function createOperatorLog(orm: Orm) {
  const read = queryOf(orm);
  const write = requestQueryOf(orm);
  return {
    /** Records a change that is about to be made. Returns the entry's id. */
    async open(change: OperatorChange): Promise<string> {
      const [entry] = await write<{ id: string }>(OPEN, { ...change });
      if (entry === undefined) throw new Error('The operator log gave no id.');
      return entry.id;
    },

    /** Adds to the detail of an entry. A subject replaces the previous one. */
    async note(id: string, detail: OperatorLogDetail, subject: string | null): Promise<void> {
      await write(NOTE, { id, detail: JSON.stringify(detail), subject });
    },

    async close(id: string, outcome: number): Promise<void> {
      await write(CLOSE, { id, outcome });
    },

    /** Removes the entry of a request that turned out to change nothing. */
    async discard(id: string): Promise<void> {
      await write(DISCARD, { id });
    },

    /**
     * Returns a page, the latest first, and the entry after which the next begins; null on the
     * last.
     *
     * @param after the id of an entry. Once retention has removed it, nothing follows: later pages
     *   are older
     */
    async findPage(filter: OperatorLogFilter, after: string | null, limit: number) {
      // One more than requested, to see whether there is a next page.
      const rows = await read<OperatorLogEntry>(pageSql(filter, after, limit + 1), {
        ...filter,
        after,
      });
      const entries = rows.slice(0, limit);
      return { entries, nextAfter: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
    },
  };
}

const OPEN = `
  insert into events.operator_log (actor, via, action, subject)
  values (:actor::text, :via, :action, :subject::text)
  returning id::text`;

const NOTE = `
  update events.operator_log
  set detail = detail || :detail::jsonb, subject = coalesce(:subject::text, subject)
  where id = :id::bigint`;

const CLOSE = 'update events.operator_log set outcome = :outcome::int where id = :id::bigint';

const DISCARD = 'delete from events.operator_log where id = :id::bigint';

const CONDITIONS: Readonly<Record<keyof OperatorLogFilter, string>> = {
  subject: 'subject = :subject',
  actor: 'actor = :actor',
  from: 'at >= to_timestamp(:from::float8 / 1000)',
  to: 'at < to_timestamp(:to::float8 / 1000)',
};

const AFTER =
  '(at, id) < (select a.at, a.id from events.operator_log as a where a.id = :after::bigint)';

/**
 * Each filter has an index that ends with the order: on the columns, not on texts made from them.
 */
export function pageSql(filter: OperatorLogFilter, after: string | null, limit: number): string {
  const names = Object.keys(CONDITIONS) as (keyof OperatorLogFilter)[];
  const conditions = names.filter((name) => filter[name] !== null).map((name) => CONDITIONS[name]);
  if (after !== null) conditions.push(AFTER);
  return `
    select id::text, ${ms('at', 'at')}, actor, via, action, subject, detail, outcome
    from events.operator_log as l
    where ${['true', ...conditions].join(' and ')}
    order by l.at desc, l.id desc limit ${literal(limit)}`;
}
