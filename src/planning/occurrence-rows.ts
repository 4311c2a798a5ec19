/** The rows of the ledger that a plan looks at. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { ms, queryIn } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { GIVEN } from './occasion-inputs.ts';
import type { OpenRow } from './rule.ts';

type Em = Pick<SqlEntityManager, 'execute'>;

export interface LockedOpenRow extends OpenRow, OccasionRef {
  /** Until when a process may be sending it (epoch ms); null when none is. */
  readonly leasedUntil: number | null;
}

export interface FinalRow extends OccasionRef {
  readonly key: string;
  readonly nominalDate: string;
}

/**
 * Locks the open row of each occasion until the transaction ends, in the order of their keys:
 * no claim takes it meanwhile. Redeliveries are not the planner's.
 */
export function lockOpenRows(em: Em, refs: readonly OccasionRef[]): Promise<LockedOpenRow[]> {
  return queryIn(em)<LockedOpenRow>(LOCK_OPEN, { refs: JSON.stringify(refs) });
}

/** Reads the rows that are never planned again, of each occasion from a nominal date on. */
export function readFinalRows(
  em: Em,
  asked: readonly (OccasionRef & { readonly fromNominal: string })[],
): Promise<FinalRow[]> {
  return queryIn(em)<FinalRow>(READ_FINAL, { asked: JSON.stringify(asked) });
}

const LOCK_OPEN = `
  select o.occasion_type as type, o.occasion_id as id, o.key, o.nominal_date as "nominalDate",
    o.attempts, ${ms('o.due_at', 'dueAt')}, ${ms('o.first_attempt_at', 'firstAttemptAt')},
    case when o.state = 'PROCESSING' and o.lease_until > events.clock()
      then (extract(epoch from o.lease_until) * 1000)::float8 end as "leasedUntil"
  from ${GIVEN} join events.occurrences as o
    on o.occasion_type = given.type and o.occasion_id = given.id
  where o.state in ('PENDING', 'PROCESSING') and o.redeliveries = 0
  order by o.key
  for no key update of o`;

const READ_FINAL = `
  select o.occasion_type as type, o.occasion_id as id, o.key, o.nominal_date as "nominalDate"
  from jsonb_to_recordset(:asked::jsonb) as asked (type text, id uuid, "fromNominal" text)
  join events.occurrences as o on o.occasion_type = asked.type and o.occasion_id = asked.id
    and o.nominal_date >= asked."fromNominal"
  where o.state = 'COMPLETED' or o.redeliveries > 0
    or (o.state = 'FAILED' and o.reason <> 'date_changed')`;
