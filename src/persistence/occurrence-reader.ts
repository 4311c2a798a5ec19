import type { OccurrenceFilter } from '../events/occurrence-filter.ts';
import type {
  LedgerOccurrence,
  OccurrencePlace,
  OccurrenceReader,
  OccurrenceRecord,
  OccurrenceSummary,
} from '../events/occurrence-reader.ts';
import { every, occurrenceCondition, type SqlCondition } from './occurrence-filter-sql.ts';
import { OF_USER, ONE, pageWhere } from './occurrence-reader-sql.ts';
import type { Orm } from './orm.ts';

export interface OccurrenceReaderSettings {
  /** From here on a delivery counts as late. */
  readonly lateAfterMs: number;
}

/** The ledger as the API shows it: one statement for rows and their attempts. */
export function createOccurrenceReader(
  orm: Orm,
  settings: OccurrenceReaderSettings,
): OccurrenceReader {
  const query = <Row extends object>(sql: string, params: readonly unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, [...params]);
  const find = ({ sql, params }: PageStatement) => query<OccurrenceSummary>(sql, params);

  return {
    findOfUser: (userId, limit) => query<LedgerOccurrence>(OF_USER, [userId, limit]),

    async findPage(filter, after, limit) {
      if (after?.fireAt === null) return find(pageWithoutInstant(filter, after, limit, settings));
      const page = await find(pageWithInstant(filter, after, limit, settings));
      const left = limit - page.length;
      if (left === 0) return page;
      return [...page, ...(await find(pageWithoutInstant(filter, null, left, settings)))];
    },

    async find(key) {
      const [found] = await query<OccurrenceRecord>(ONE, [settings.lateAfterMs, key]);
      return found ?? null;
    },
  };
}

export interface PageStatement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** A page of what has an instant: an index scan, wherever it begins. */
export function pageWithInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  settings: OccurrenceReaderSettings,
): PageStatement {
  const place: SqlCondition =
    after === null
      ? { sql: 'o.fire_at is not null', params: [] }
      : {
          sql: '(o.fire_at, o.key) > (to_timestamp(?::float8 / 1000), ?)',
          params: [after.fireAt, after.key],
        };
  return page(filter, place, limit, settings);
}

/** A page of what has none, which is little: what could not be planned. */
export function pageWithoutInstant(
  filter: OccurrenceFilter,
  after: OccurrencePlace | null,
  limit: number,
  settings: OccurrenceReaderSettings,
): PageStatement {
  const place = { sql: 'o.fire_at is null and o.key > ?', params: [after?.key ?? ''] };
  return page(filter, place, limit, settings);
}

function page(
  filter: OccurrenceFilter,
  place: SqlCondition,
  limit: number,
  settings: OccurrenceReaderSettings,
): PageStatement {
  const condition = every([place, occurrenceCondition(filter, settings)]);
  const sql = pageWhere(condition);
  return { sql, params: [settings.lateAfterMs, ...condition.params, limit] };
}
