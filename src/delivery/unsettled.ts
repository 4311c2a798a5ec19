import { type LookedRow, type OccasionLook, SHORT_WAIT_MS } from './occasion-look.ts';
import { decideOwner, type Owner } from './ownership.ts';

/** A row that is due and not settled, and who is to send it. */
export interface UnsettledRow {
  readonly row: LookedRow;
  readonly owner: Owner;
  /** This call has attempted it. */
  readonly isAttempted: boolean;
}

/** @param attempted the keys that this call has attempted */
export function unsettledOf(look: OccasionLook, attempted: ReadonlySet<string>): UnsettledRow[] {
  const { open, dispatchers, destination, databaseNow } = look;
  return open
    .filter((row) => isDue(row, look))
    .map((row) => ({
      row,
      owner: decideOwner(row, dispatchers, destination, databaseNow),
      isAttempted: attempted.has(row.key),
    }));
}

/** Called early, it leaves the row alone; early by moments, it waits for the instant. */
function isDue({ dueAt }: LookedRow, { databaseNow, occasion }: OccasionLook): boolean {
  if (dueAt === null) return false;
  const isWakeNear = (occasion?.wakeAt ?? Infinity) - databaseNow <= SHORT_WAIT_MS;
  return dueAt <= databaseNow || (isWakeNear && dueAt - databaseNow <= SHORT_WAIT_MS);
}

/** How long until it can be claimed, in ms; Infinity if nothing but waiting for another call is left. */
export function shortWaitMs({ row, owner, isAttempted }: UnsettledRow, look: OccasionLook): number {
  const isNear = owner.owner === 'nobody' && owner.because === 'early' && !isAttempted;
  return isNear && row.nextAttemptAt !== null ? row.nextAttemptAt - look.databaseNow : Infinity;
}
