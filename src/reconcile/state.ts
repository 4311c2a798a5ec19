import { epochMs, firstRow, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';

/** How long ago each part was last checked, in ms by the database's clock; null for never. */
export interface ReconcileAges {
  readonly ledgerAgeMs: number | null;
  readonly workflowsAgeMs: number | null;
  readonly comparedAgeMs: number | null;
  /** A herd is being sent: dispatchers have no free slot. */
  readonly isBusy: boolean;
}

/** A check costs seconds of the database's time: a herd postpones it at most this long. */
const LONGEST_REST_MS = 30 * 60_000;

export async function findState(orm: Orm): Promise<ReconcileAges> {
  return firstRow(
    await queryOf(orm)<ReconcileAges>(`
      select exists (select from events.dispatchers
          where busy_at > events.clock() - interval '15 seconds') as "isBusy",
        ${age('ledger_looked_at')} as "ledgerAgeMs",
        ${age('workflows_looked_at')} as "workflowsAgeMs",
        ${age('compared_at')} as "comparedAgeMs"
      from events.reconciler`),
  );
}

const age = (column: string): string => epochMs(`events.clock() - ${column}`);

/** Whether a check that is due must wait for a herd. The very first check never waits. */
export function mustRest(
  { isBusy }: ReconcileAges,
  ageMs: number | null,
  everyMs: number,
): boolean {
  return isBusy && ageMs !== null && ageMs < everyMs + LONGEST_REST_MS;
}

/** Records that all of this has been checked. */
export async function noteLook(
  orm: Orm,
  column: 'ledger_looked_at' | 'workflows_looked_at' | 'compared_at',
): Promise<void> {
  await queryOf(orm)(`update events.reconciler set ${column} = events.clock()`);
}

/** The reconciler's state, for metrics. */
export function createReconcileState(orm: Orm) {
  const query = queryOf(orm);
  return {
    unrepaired: async (): Promise<number> =>
      firstRow(await query<{ count: number }>(COUNT_UNREPAIRED)).count,
    /** When both halves last completed a check, in epoch ms; null if one never has. */
    lastSucceededAt: async (): Promise<number | null> =>
      firstRow(await query<{ at: number | null }>(LAST_SUCCEEDED)).at,
  };
}

const COUNT_UNREPAIRED = `
  select count(*)::int as count from events.findings where unrepaired_at is not null`;

/** Ids are compared once a day. */
const LAST_SUCCEEDED = `
  select case when num_nulls(ledger_looked_at, workflows_looked_at, compared_at) = 0 then
    ${epochMs("least(ledger_looked_at, workflows_looked_at, compared_at + interval '1 day')")} end as at
  from events.reconciler`;
