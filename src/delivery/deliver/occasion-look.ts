import { AVAILABLE } from '../../ledger/claim.ts';
import { TO_PLAN } from '../../ledger/plan-rows.ts';
import { claimableAt, epochMs, ms, type Query } from '../../ledger/sql.ts';
import type { OccasionRef, RecordedAttempt } from '../../ledger/types.ts';
import type { SettledOccurrence } from '../../workflows/contract.ts';
import type { DestinationAllowance, DispatcherStamp, DueRow } from './ownership.ts';

/** An occasion and its rows at one moment. Instants are epoch ms by the database's clock. */
export interface OccasionLook {
  readonly databaseNow: number;
  /** Null before it was first planned, and once it is erased. */
  readonly occasion: { readonly wakeAt: number | null; readonly isEnded: boolean } | null;
  /** The rows that are not settled, including redeliveries. */
  readonly open: readonly LookedRow[];
  /** A row waits for its plan, or the successor of a settled row is not planned. */
  readonly isToPlan: boolean;
  /** The last row settled since its workflow had an answer; null if none was. */
  readonly settled: SettledOccurrence | null;
}

export interface LookedRow extends DueRow {
  readonly key: string;
  readonly destination: string;
  /** What may be sent to its destination. */
  readonly allowance: DestinationAllowance;
  /** The dispatchers that send to its destination. */
  readonly dispatchers: readonly DispatcherStamp[];
  /** Null while it cannot be planned. */
  readonly dueAt: number | null;
  readonly redeliveredAt: number | null;
  /** The result of its last attempt. */
  readonly last: Pick<RecordedAttempt, 'status' | 'errorCode'> | null;
}

/**
 * A call that is early by less than this waits for the instant, in ms: timers and clocks differ.
 */
export const SHORT_WAIT_MS = 2_000;

/**
 * Reads the state of occasions, in one statement for all of them, and a second one if one of them
 * has something due. Returns the states in the order given.
 */
export async function lookAt(
  query: Query,
  occasions: readonly OccasionRef[],
): Promise<readonly OccasionLook[]> {
  const rows = await query<OccasionRow>(LOOK_AT, { occasions: JSON.stringify(occasions) });
  const around = rows.some(isAnyDue) ? await query<DestinationRow>(LOOK_AROUND) : [];
  const sendersOf = new Map(
    around.map(({ id, dispatchers, isPaused, stoppedUntil, available }) => [
      id,
      {
        dispatchers: dispatchers ?? [],
        allowance: { isPaused, stoppedUntil, available: available ?? Infinity },
      },
    ]),
  );
  const found = new Map(rows.map((row) => [row.occasion, row]));
  return occasions.map(({ type, id }) => {
    const row = found.get(`${type}/${id}`);
    if (row === undefined) throw new Error('The database left an occasion out.');
    const { isKnown, isEnded, wakeAt, isToPlan, settled } = row;
    const occasion = isKnown ? { isEnded, wakeAt } : null;
    // From the later read: the stamp of a dispatcher in between must not lie in the future.
    const databaseNow = around[0]?.databaseNow ?? row.databaseNow;
    const open = (row.open ?? []).map((one) =>
      Object.assign(one, sendersOf.get(one.destination) ?? NO_SENDERS),
    );
    return { databaseNow, occasion, open, isToPlan, settled };
  });
}

function isAnyDue({ open, databaseNow }: OccasionRow): boolean {
  return (open ?? []).some(({ dueAt }) => dueAt !== null && dueAt - databaseNow <= SHORT_WAIT_MS);
}

/** For a destination without a row, or where it does not matter: nothing is due. */
const NO_SENDERS: Pick<LookedRow, 'allowance' | 'dispatchers'> = {
  allowance: { isPaused: false, stoppedUntil: null, available: Infinity },
  dispatchers: [],
};

interface OccasionRow extends Pick<OccasionLook, 'databaseNow' | 'isToPlan' | 'settled'> {
  /** `<type>/<id>`. */
  readonly occasion: string;
  readonly isKnown: boolean;
  readonly isEnded: boolean;
  readonly wakeAt: number | null;
  readonly open: readonly Omit<LookedRow, 'allowance' | 'dispatchers'>[] | null;
}

interface DestinationRow extends Pick<DestinationAllowance, 'isPaused' | 'stoppedUntil'> {
  readonly id: string;
  readonly databaseNow: number;
  readonly available: number | null;
  readonly dispatchers: readonly DispatcherStamp[] | null;
}

const ofLastAttempt = (value: string): string => `(
          select ${value} from events.attempts where occurrence_key = key
          order by number desc limit 1)`;
const LAST_REPLY = ofLastAttempt(`jsonb_build_object('status', status, 'errorCode', error_code)`);
const LAST_SENT_BY = ofLastAttempt('sent_by');

/** The rows of an occasion in one pass over them: a year of daily reminders is a few hundred. */
const LOOK_AT = `
  select given.type || '/' || given.id as occasion, ${ms('events.clock()', 'databaseNow')},
    o.id is not null as "isKnown", o.ended_at is not null as "isEnded", ${ms('o.wake_at', 'wakeAt')},
    rows.open, coalesce(rows.is_to_plan, false) as "isToPlan", rows.settled
  from jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid)
  left join events.occasions as o on o.type = given.type and o.id = given.id
  cross join lateral (
    select
      jsonb_agg(jsonb_build_object('key', key, 'destination', destination, 'dueAt', ${epochMs('due_at')},
        'nextAttemptAt', ${epochMs(claimableAt('occurrences'))}, 'leaseUntil', ${epochMs('lease_until')},
        'redeliveredAt', ${epochMs('redelivered_at')}, 'last', ${LAST_REPLY}))
        filter (where state = 'PENDING') as open,
      bool_or(${TO_PLAN}) as is_to_plan,
      jsonb_agg(jsonb_build_object('occurrenceKey', key, 'outcome', case state
          when 'COMPLETED' then 'delivered' when 'FAILED' then 'failed' else 'skipped' end,
        'reason', reason, 'dueAt', ${epochMs('due_at')}, 'attempts', attempts,
        'sentBy', ${LAST_SENT_BY})
        order by settled_at desc)
        filter (where settled_at > coalesce(o.answered_at, '-infinity')) -> 0 as settled
    from events.occurrences
    where occasion_type = given.type and occasion_id = given.id
  ) as rows`;

const LOOK_AROUND = `
  select d.id, ${ms('clock', 'databaseNow')}, paused_at is not null as "isPaused",
    ${ms('slowed_until', 'stoppedUntil')},
    ${AVAILABLE} as available,
    (select jsonb_agg(jsonb_build_object('stampedAt', stamped, 'shortAt', short))
     from (
       select ${ms('stamped_at', 'stamped')}, ${ms('short_at', 'short')}
       from events.dispatchers where destination = d.id
     ) as stamps) as dispatchers
  from events.destinations as d, (select events.clock() as clock) as c`;
