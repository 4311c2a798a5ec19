import type { LedgerState } from '../events/ledger-state.ts';
import type { Orm } from './orm.ts';

/** The state of the ledger, each by a partial index: none reads all the rows. */
export function createLedgerState(orm: Orm): LedgerState {
  const count = async (sql: string): Promise<number> => {
    const [row] = await orm.em.fork().execute<{ count: number }[]>(sql);
    return row?.count ?? 0;
  };
  return {
    armed: () => count(ARMED),
    claimed: () => count(CLAIMED),
    backlog: () => count(BACKLOG),
    unreported: () => count(UNREPORTED),
    deadLetters: () => count(DEAD_LETTERS),
    blocked: () => count(BLOCKED),
  };
}

const ARMED = `
  select count(*)::int as count from events.occurrences
  where state = 'PROCESSING' and next_attempt_at is not null`;

const CLAIMED = `
  select count(*)::int as count from events.occurrences
  where state = 'PROCESSING' and next_attempt_at is not null
    and sending_until > (select events.clock())`;

/** The clock in a query of its own, so that an index can be used. */
const BACKLOG = `
  with clock as materialized (select events.clock() as now)
  select (
    (select count(*) from events.occurrences
      where state = 'PROCESSING' and next_attempt_at <= (select now from clock)
        and (sending_until is null or sending_until <= (select now from clock)))
    + (select count(*) from events.occurrences
      where state = 'PENDING' and blocked_reason is null and fire_at <= (select now from clock))
  )::int as count`;

const UNREPORTED = `
  select count(*)::int as count from events.occurrences where report is not null`;

const DEAD_LETTERS = `
  select count(*)::int as count from events.occurrences where state = 'FAILED'`;

const BLOCKED = `
  select count(*)::int as count from events.occurrences
  where blocked_reason is not null and state = 'PENDING'`;
