/** Suspensions of users and of occasions. */
import { InvalidInputError } from './errors.ts';
import type { UserFields, UserPatch } from './user.ts';

type Suspension = Pick<UserFields, 'suspended' | 'suspendedReason'>;
type ChangedSuspension = Readonly<Pick<UserPatch, 'suspended' | 'suspendedReason'>>;

export const NOT_SUSPENDED: Suspension = { suspended: false, suspendedReason: null };

/**
 * The suspension after a change. If the change does not mention it, it stays, so that a caller
 * unaware of an opt-out does not lift it; a reason ends with its suspension.
 *
 * @throws InvalidInputError for a reason without a suspension
 */
export function changeSuspension(
  current: Suspension,
  { suspended = current.suspended, suspendedReason: reason }: ChangedSuspension,
): Suspension {
  if (suspended) {
    return { suspended, suspendedReason: reason === undefined ? current.suspendedReason : reason };
  }
  if (typeof reason !== 'string') return NOT_SUSPENDED;
  throw new InvalidInputError([
    { field: 'suspendedReason', rule: 'must be null unless suspended is true' },
  ]);
}
