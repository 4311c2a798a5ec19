import type { Orm } from '../platform/database/orm.ts';
import { queryOf } from './sql.ts';

export type LedgerState = ReturnType<typeof createLedgerState>;

/** What is in the ledger at this moment, for metrics: each count reads a partial index. */
export function createLedgerState(orm: Orm) {
  const query = queryOf(orm);
  const count = async (sql: string): Promise<number> => {
    const [row] = await query<{ count: number }>(sql);
    return row?.count ?? 0;
  };
  return {
    /** Open, and past due or due within five minutes. */
    dueSoon: () => count(DUE_SOON),
    /** Under a lease in force: being sent, or about to be. */
    leased: () => count(LEASED),
    /** Past due, and under no lease: may be claimed, or waits for its plan. */
    backlog: () => count(BACKLOG),
    /** Wait for their next attempt. */
    retrying: () => count(RETRYING),
    /** FAILED. */
    deadLetters: () => count(DEAD_LETTERS),
    /** Planned without an instant. */
    blocked: () => count(BLOCKED),
  };
}

/** The clock in a query of its own, so that an index can be used. */
const CLOCK = 'clock as materialized (select events.clock() as now)';
const NOW = '(select now from clock)';

const PAST_DUE = `
  with ${CLOCK}
  select count(*)::int as count from events.occurrences
  where state in ('PENDING', 'PROCESSING') and due_at <= ${NOW}`;

const DUE_SOON = `
  with ${CLOCK}
  select count(*)::int as count from events.occurrences
  where state in ('PENDING', 'PROCESSING') and due_at <= ${NOW} + interval '5 minutes'`;

const LEASED = `
  with ${CLOCK}
  select count(*)::int as count from events.occurrences
  where state = 'PROCESSING' and lease_until > ${NOW}`;

const BACKLOG = `${PAST_DUE} and coalesce(next_attempt_at <= ${NOW}, true)`;

const RETRYING = `${PAST_DUE} and state = 'PENDING' and next_attempt_at > ${NOW}`;

const DEAD_LETTERS = `
  select count(*)::int as count from events.occurrences where state = 'FAILED'`;

const BLOCKED = `
  select count(*)::int as count from events.occurrences
  where blocked_reason is not null and state = 'PENDING'`;
