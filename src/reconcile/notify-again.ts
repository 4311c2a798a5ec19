/** SQL that makes the notifier notify workflows again, or start them. */

/** On `events.occasions as o`: forgets what the ledger knows about when the workflow wakes. */
export const FORGET_WAKE = `
  notified_wake_at = null, notify_after = null, version = o.version + 1`;

/**
 * Applies to those of `:occasions` that have not ended and satisfy a condition on `o`; locked in
 * the same order as everywhere.
 */
export const notifyAgain = (condition: string): string => `
  with locked as materialized (
    select o.type, o.id from jsonb_to_recordset(:occasions::jsonb) as given (type text, id uuid)
    join events.occasions as o on o.type = given.type and o.id = given.id
    where o.ended_at is null and ${condition}
    order by o.type, o.id for update of o
  )
  update events.occasions as o set ${FORGET_WAKE}
  from locked where o.type = locked.type and o.id = locked.id`;
