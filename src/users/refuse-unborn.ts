import type { TzDatabase } from '../time/tz-database.ts';
import { type FieldFault, InvalidUserError } from './errors.ts';
import { bornInFuture, IN_FUTURE } from './rules.ts';

/**
 * The one rule that takes two fields: nobody is born on a day that has not yet begun
 * where they live. Both fields are valid, each alone.
 *
 * @throws InvalidUserError
 */
export function refuseUnborn(
  facts: { readonly dateOfBirth: string; readonly timezone: string },
  now: number,
  tz: TzDatabase,
  field: 'dateOfBirth' | 'timezone' = 'dateOfBirth',
): void {
  if (!bornInFuture(facts, now, tz)) return;
  const rule = field === 'dateOfBirth' ? IN_FUTURE : 'must not put the date of birth in the future';
  throw new InvalidUserError([{ field, rule } satisfies FieldFault]);
}
