/** What the classes of an audit mean, for people who did not write them. */

import { reasonWords } from '../words.ts';

/** In the order of the page. Of these, only `unaccounted` is part of the sum of what was due. */
export const WRONG = {
  unaccounted:
    'Fell due, and has no recorded outcome. It may still be owed: npm run reconcile plans what was missed.',
  doubles: 'There is a second row for one occurrence, or it was delivered more than once.',
  unexpected: 'It was sent on this day, although by the history nothing fell due.',
} as const;

export const CLASSES = {
  delivered: 'Delivered on time',
  late: 'Delivered, later than LATE_AFTER',
  failed: 'Attempted and given up',
  skipped: 'Never attempted, for a reason',
  pending: 'Not settled yet',
  blocked: 'Cannot be planned: the time zone is unknown here',
  deleted: 'The user or the occasion was deleted before it was attempted',
  erased: 'Their users have been erased since; only these numbers are kept',
  changedSince: 'A correction moved it to another day, where it is counted',
} as const;

export type ClassName = keyof typeof CLASSES;

const PARTS: Readonly<Record<string, string>> = {
  toCome: 'Not due yet',
  unplanned: 'Not due yet, and not planned yet',
  behind: 'It waits for another one of its occasion',
  underWay: 'It is being sent, or waits for its next attempt',
  overdue: 'It is past due and not being sent: a pause, a backlog, or something is down',
  delivered: 'Delivered before the erasure',
  failed: 'Failed before the erasure',
  skipped: 'Skipped before the erasure',
};

/** Describes a part of a class, such as `gone` of `failed`. */
export function partInWords(part: string): string {
  const words = PARTS[part] ?? reasonWords(part);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
