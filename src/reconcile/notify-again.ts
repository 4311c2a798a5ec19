/** SQL that has the notifier notify workflows again, or start them. */

/** Of `events.occasions as o`: what the ledger knows of when the workflow wakes is forgotten. */
export const FORGET_WAKE = `
  notified_wake_at = null, notify_after = null, version = o.version + 1`;

/**
 * Those of `:occasions` that have not ended and for which a condition on `o` holds; locked in the
 * order in which all do.
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
