/**
 * Which users were due, judged from the outside: by the API's responses, fixed offsets and the
 * README's rules. Nothing of src/time or src/planning is asked.
 */
import type { Zone } from '../support/instant-zones.ts';
import type { RunPlan } from './plan.ts';

/** What was true of a user from an instant on, as the API answered. */
export interface Facts {
  /** `updatedAt` of the answer, epoch ms. */
  readonly from: number;
  /** When the answer was here: until then, what runs may have gone by the facts before. */
  readonly knownAt: number;
  readonly zone: Zone;
  /** Of the birthday in the run's year, YYYY-MM-DD. */
  readonly day: string;
}

export interface Life {
  readonly facts: readonly Facts[];
  readonly deleted: Deletion | null;
}

/** When it was first asked for, and when it was answered; epoch ms. */
export interface Deletion {
  readonly from: number;
  readonly knownAt: number;
}

/**
 * `once`: it has to be delivered. `maybe`: the user was deleted, or got another day, or moved
 * to where it comes after the run, in the moment of being due or while it was owed; either is
 * right, and never both. `never`: not in this run.
 */
export type Expectation = 'once' | 'maybe' | 'never';

/**
 * @param deliveredAt when the receiver first took it; null for not yet. What was delivered
 *   is settled, and no later change asks for it again.
 * @param endsAt epoch ms, when all was at rest: what is due later is not expected
 */
export function expectationOf(
  life: Life,
  deliveredAt: number | null,
  plan: RunPlan,
  endsAt: number,
): Expectation {
  const [created, ...changes] = life.facts;
  if (created === undefined) return 'never';
  const due = ({ zone, day }: Facts): number => plan.instantOf(zone, day);

  let facts = created;
  /** This year's is still to come, or is owed: it was not past when it became this user's. */
  let isOpen = due(facts) > facts.from;
  let isMaybe = false;
  /** A move came in the moment of being due, or while it was owed: it may have been sent before it. */
  let isMovedLate = false;
  /** A day that was left while it was open: back on it before anything has noticed, it still is. */
  let left: Facts | null = null;
  const ends: readonly (Facts | Deletion)[] =
    life.deleted === null ? changes : [...changes, life.deleted];
  for (const next of ends) {
    const { from, knownAt } = next;
    if (deliveredAt !== null && deliveredAt < from) return isMaybe ? 'maybe' : 'once';
    const dueAt = due(facts);
    const isOtherDay = !('day' in next) || next.day !== facts.day;
    if (isOpen && isOtherDay && dueAt <= knownAt) isMaybe = true;
    if (isOpen && !isOtherDay && dueAt <= knownAt) isMovedLate = true;
    if (!('day' in next)) return isMaybe || isMovedLate ? 'maybe' : 'never';
    const nextDueAt = due(next);
    // A change of zone never loses what is to come or owed; one of the day owes no past day.
    if (nextDueAt <= from && left?.day === next.day && due(left) === nextDueAt) isMaybe = true;
    if (isOpen && isOtherDay) left = facts;
    if (nextDueAt > from) isOpen = true;
    else if (isOtherDay) isOpen = false;
    facts = next;
  }
  if (isOpen && isOwed(facts, due(facts), endsAt)) return isMaybe ? 'maybe' : 'once';
  return isMaybe || isMovedLate ? 'maybe' : 'never';
}

function isOwed({ from }: Facts, dueAt: number, endsAt: number): boolean {
  return Math.max(from, dueAt) <= endsAt;
}

/** The instants that a delivery may have been scheduled for. */
export function instantsOf(life: Life, plan: RunPlan): number[] {
  return life.facts.map(({ zone, day }) => plan.instantOf(zone, day));
}
