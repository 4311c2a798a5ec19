import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { STATE } from './looks-sql.ts';
import { NOTE_RETURN } from './wakes-sql.ts';

/** How long ago each part was last looked through, in ms by the database's clock; null for never. */
export interface ReconcileAges {
  readonly ledgerAgeMs: number | null;
  readonly workflowsAgeMs: number | null;
  readonly comparedAgeMs: number | null;
  /** A herd goes out: dispatchers have no free slot. */
  readonly isBusy: boolean;
}

/** Looking costs seconds of the database's time. So long a herd is spared that, and not longer. */
const LONGEST_REST_MS = 30 * 60_000;

export async function findState(orm: Orm): Promise<ReconcileAges> {
  const [state] = await queryOf(orm)<ReconcileAges>(STATE);
  if (state === undefined) throw new Error('There is no row in events.reconciler.');
  return state;
}

/** Whether a look that is due has to wait for a herd. What was never looked at does not. */
export function mustRest(
  { isBusy }: ReconcileAges,
  ageMs: number | null,
  everyMs: number,
): boolean {
  return isBusy && ageMs !== null && ageMs < everyMs + LONGEST_REST_MS;
}

const PLACES = {
  ledger: 'ledger_looked_at',
  workflows: 'workflows_looked_at',
  comparison: 'compared_at',
} as const;

/** Notes that this has been looked through, all of it. */
export async function noteLook(orm: Orm, place: keyof typeof PLACES): Promise<void> {
  await queryOf(orm)(`update events.reconciler set ${PLACES[place]} = events.clock()`);
}

/**
 * Notes that Temporal is back, if the reconciler's workflow has not run for so long: what no
 * workflow has looked at meanwhile is given its time from now on.
 */
export async function noteReturn(orm: Orm, gapMs: number): Promise<void> {
  await queryOf(orm)(NOTE_RETURN, { gapMs });
}

/** The reconciler's state as metrics have it. */
export function createReconcileState(orm: Orm) {
  const query = queryOf(orm);
  return {
    /** What is amiss and could not be repaired. */
    async unrepaired(): Promise<number> {
      const [row] = await query<{ count: number }>(UNREPAIRED);
      return row?.count ?? 0;
    },
    /** When all was last looked for, in epoch ms; null when some of it never was. */
    async lastSucceededAt(): Promise<number | null> {
      const [row] = await query<{ at: number | null }>(LAST_SUCCEEDED);
      return row?.at ?? null;
    },
  };
}

export type ReconcileState = ReturnType<typeof createReconcileState>;

const UNREPAIRED = `
  select count(*)::int as count from events.findings where unrepaired_at is not null`;

/** Ids are compared once a day. */
const LAST_SUCCEEDED = `
  select case when ledger_looked_at is null or workflows_looked_at is null or compared_at is null
    then null
    else (extract(epoch from least(ledger_looked_at, workflows_looked_at,
      compared_at + interval '1 day')) * 1000)::float8 end as at
  from events.reconciler`;
