/** Audits of days whose occurrences are not kept for good. */
import { interval, type Query, queryOf } from '../ledger/sql.ts';
import { type AuditDeps, auditDay } from './audit-day.ts';
import type { AuditReport } from './report.ts';

/** Stores the results, without keys: these contain ids of users, beside the day. */
async function storeAudit(query: Query, report: AuditReport): Promise<void> {
  const { unaccounted, doubles, unexpected, ...numbers } = report;
  const counts = Object.fromEntries(
    Object.entries({ unaccounted, doubles, unexpected }).map(([name, { count }]) => [
      name,
      { count, first: [] },
    ]),
  );
  await query(
    `insert into events.audits (date, report) values (:date::date, :report::jsonb)
     on conflict (date) do nothing`,
    { date: report.date, report: JSON.stringify({ ...numbers, ...counts }) },
  );
}

export type AuditStore = ReturnType<typeof createAuditStore>;

/** Stores the audit of one day after the other, beginning with the oldest occurrence. */
export function createAuditStore(deps: AuditDeps) {
  const query = queryOf(deps.orm);
  return {
    /**
     * Stores the audit of the next day that ended at least so long ago (ms, by the database's
     * clock).
     * Returns false if there is none.
     */
    async storeNext(keptMs: number): Promise<boolean> {
      const [next] = await query<{ date: string }>(NEXT_DAY, { keptMs });
      if (next !== undefined) await storeAudit(query, await auditDay(deps, next.date));
      return next !== undefined;
    },

    /** The first day whose audit is not stored, `YYYY-MM-DD`: all before it are. Null if none is. */
    async firstDayNotStored(): Promise<string | null> {
      const [first] = await query<{ date: string | null }>(
        `select to_char(max(date) + 1, 'YYYY-MM-DD') as date from events.audits`,
      );
      return first?.date ?? null;
    },
  };
}

/**
 * Somewhere, a day lasts until two days after it began in UTC; an instant is at most one day off.
 */
const NEXT_DAY = `
  select to_char(next.day, 'YYYY-MM-DD') as date
  from (select coalesce(
    (select max(date) + 1 from events.audits),
    (select (due_at at time zone 'UTC')::date - 1 from events.occurrences
      where due_at is not null order by due_at limit 1)) as day) as next
  where next.day < ((select events.clock()) - ${interval(':keptMs')})::date - 2`;
