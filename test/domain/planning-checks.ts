/** What is held against every plan of a life that is played. */
import {
  firstOccurrenceAfter,
  type Occurrence,
  occurrenceInYear,
} from '../../src/domain/occurrence.ts';
import type { DatedFacts } from '../../src/domain/planning-history.ts';
import type { OpenRow, PlanDecision, PlanInput } from '../../src/domain/planning.ts';

/** What must be true of any decision. */
export function checkDecision(
  input: PlanInput,
  { open: action, skipped, next }: PlanDecision,
  history: readonly DatedFacts[],
): void {
  const { facts, open, final, now, rules } = input;
  if (next.kind === 'blocked') return;
  const { occurrence } = next;
  const settledYears = new Set([...final, ...skipped].map(({ year }) => year));
  if (action.action === 'skip' && open !== null) settledYears.add(open.year);
  const isTried = action.action === 'keep' && open !== null && open.attempts > 0;

  check(action.action !== 'none' || open === null, 'an open row was forgotten');
  check(!settledYears.has(occurrence.year), 'a settled year is planned');
  check(occurrence.year > Number(facts.dateOfBirth.slice(0, 4)), 'the day of birth is planned');
  check(isSame(occurrence, occurrenceInYear(facts, occurrence.year, rules)), 'not its instant');
  if (occurrence.fireAt <= now && !isTried)
    check(!isTooLate(occurrence, input), 'planned too late');
  const missedOpen =
    action.action === 'skip' && action.reason === 'too_late' ? [action.missed] : [];
  for (const missed of [...skipped, ...missedOpen]) {
    const { year } = missed;
    check(
      isSame(missed, occurrenceInYear(missed.facts, year, rules)),
      `${year} not as it was missed`,
    );
    check(isTooLate(missed, input), `${year} is not too late`);
    check(!isToCome(year, input), `${year} is skipped, and still to come`);
  }
  check(
    skipped.every(({ year }) => year !== open?.year),
    'the open row is recorded twice',
  );
  // No year burned: whatever is still to come, and settled by nothing, is not passed over.
  const from = Math.max(now, facts.changedAt);
  const toCome = firstOccurrenceAfter(facts, from, rules, (year) => settledYears.has(year));
  check(isTried || occurrence.fireAt <= toCome.fireAt, `${toCome.year} is passed over`);

  // What follows is true of one change; of several, it is true of each.
  if (history.length > 1) return;
  for (const missed of skipped) {
    check(missed.fireAt > facts.changedAt, `${missed.year} passed before the last change`);
  }
  if (open === null || action.action === 'keep') return;
  const resolved = occurrenceInYear(facts, open.year, rules);
  const isDayMoved = open.anchorDate !== facts.dateOfBirth && resolved.fireAt <= facts.changedAt;
  const isBirthYear = open.year <= Number(facts.dateOfBirth.slice(0, 4));
  if (action.action === 'remove') {
    check(open.attempts === 0, 'a row with attempts is removed');
    check(isDayMoved || isBirthYear || occurrence.year < open.year, 'an open row is burned');
  } else if (action.action === 'skip' && action.reason === 'too_late') {
    check(open.attempts === 0 && isTooLate(resolved, input), 'skipped, but not too late');
  } else {
    check(open.attempts > 0 && (isDayMoved || isBirthYear), 'skipped, but its day is the same');
  }
}

/** The same plan, made again, changes nothing. */
export function checkSettles({ open: action, skipped, next }: PlanDecision, open: OpenRow): void {
  check(action.action === 'keep' && skipped.length === 0, 'a second plan is another');
  check(
    next.kind === 'planned' && next.occurrence.fireAt === open.fireAt,
    'a second plan moves it',
  );
}

function isTooLate({ fireAt }: Occurrence, { now, lateLimitMs }: PlanInput): boolean {
  return now - fireAt > lateLimitMs;
}

/** Whether the birthday of a nominal year is after now, by the facts of now. */
export function isToCome(
  year: number,
  { facts, now, rules }: Pick<PlanInput, 'facts' | 'now' | 'rules'>,
): boolean {
  const isBirthday = year > Number(facts.dateOfBirth.slice(0, 4));
  return isBirthday && occurrenceInYear(facts, year, rules).fireAt > now;
}

function isSame(one: Occurrence, other: Occurrence): boolean {
  return one.fireAt === other.fireAt && one.localDate === other.localDate;
}

export function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}
