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
    unreported: () => count(UNREPORTED),
    deadLetters: () => count(DEAD_LETTERS),
    blocked: () => count(BLOCKED),
  };
}

const ARMED = `
  select count(*)::int as count from events.occurrences
  where state = 'PROCESSING' and next_attempt_at is not null`;

const UNREPORTED = `
  select count(*)::int as count from events.occurrences where report is not null`;

const DEAD_LETTERS = `
  select count(*)::int as count from events.occurrences where state = 'FAILED'`;

const BLOCKED = `
  select count(*)::int as count from events.occurrences
  where blocked_reason is not null and state = 'PENDING'`;
