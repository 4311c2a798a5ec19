import { violated, unsettled, type Path } from './invariants.ts';
import { actCalls, actDispatchers, actNotifiers, tick } from './model.ts';
import { schedule } from './planning.ts';
import { die, isOpen } from './sending.ts';
import type { State } from './state.ts';
import { encode } from './encode.ts';
import { clone, createSender, idleNotifier, noCall } from './state.ts';
import { NO_BUDGET, sendersOf, type Presence, type World } from './world.ts';
import { runWorkflow, trueWake } from './workflow.ts';

/** From here on nothing goes wrong any more, and only one of the two paths is alive. */
export interface Completion {
  /** Null when all that is due ends settled; else what does not hold at the end. */
  check(s: State): { readonly invariant: string; readonly steps: readonly string[] } | null;
}

/** Ticks after the horizon until which everything must have come to rest. */
const REST = 10;
const MOST_STEPS = 400;

export function createCompletion(
  world: World,
  path: Path,
  presence: Presence = 'dead',
): Completion {
  const fair: World = { ...world, presence };
  const end = world.bounds.horizon + REST;
  const known = new Map<string, string | null>();

  const run = (first: State, steps?: string[]): string | null => {
    const passed: string[] = [];
    let result: string | null | undefined;
    for (let s = first; result === undefined;) {
      const key = encode(s);
      if (steps === undefined) result = known.get(key);
      if (result !== undefined) break;
      if (passed.includes(key) || passed.length > MOST_STEPS) {
        result = 'everything comes to rest';
        break;
      }
      passed.push(key);
      const step = firstStep(s, key, fair, path, end);
      if (step === null) {
        result = unsettled(s, fair, path);
      } else {
        steps?.push(step.label);
        s = step.next;
        result = (path === 'workflow' ? violated(s) : s.seen.violation) ?? undefined;
      }
    }
    for (const key of passed) known.set(key, result ?? null);
    return result ?? null;
  };

  return {
    check(s) {
      // A workflow that was terminated by hand is the reconciler's.
      if (s.seen.isLost || (path === 'calls' && !isNotified(s))) return null;
      const first = survive(s, world, path);
      const invariant = run(first);
      if (invariant === null) return null;
      const steps: string[] = [];
      run(first, steps);
      return { invariant, steps };
    },
  };
}

/** All processes die; those of the path that is left start again, and the database is back. */
function survive(s: State, { rules }: World, path: Path): State {
  const next = clone(s);
  next.left = { ...NO_BUDGET };
  next.database = { isUp: true, isSteady: s.database.isUp && s.database.isSteady };
  for (const index of sendersOf(next).keys()) die(next, index);
  for (const notifier of next.notifiers) {
    if (notifier.phase === 'write' && !notifier.isCurrent) next.seen.diedNotifying = true;
  }
  const isTaken = s.outbox.isTaken && rules.outboxAfterPlan;
  next.outbox = { isWaiting: s.outbox.isWaiting || isTaken, isTaken: false };
  next.notifiers = path === 'workflow' ? [idleNotifier()] : [];
  next.dispatchers = path === 'ledger' ? [{ ...createSender(), isFresh: true }] : [];
  next.calls = [noCall(), noCall()];
  if (path === 'ledger') {
    next.workflow = { phase: 'none', until: null, changed: 'no', hadCancel: false };
    next.occasion.notifiedWakeAt = null;
  } else if (s.workflow.phase === 'calling') {
    next.calls[0] = { ...noCall(), phase: 'handed over' };
  }
  return next;
}

/** Everything that is planned has been notified: the workflow needs nobody else. */
function isNotified(s: State): boolean {
  return (
    !s.outbox.isWaiting &&
    !s.occasion.hasEnded &&
    trueWake(s) <= (s.occasion.wakeAt ?? -1) &&
    !s.occurrences.some((row) => isOpen(row) && row.isRedelivered)
  );
}

function firstStep(s: State, key: string, world: World, path: Path, end: number) {
  let found: { label: string; next: State } | null = null;
  const emit = (label: string, next: State): void => {
    if (found === null && encode(next) !== key) found = { label, next };
  };
  const isFound = (): boolean => found !== null;
  if (path === 'ledger') actDispatchers(s, world, emit);
  else {
    actCalls(s, world, emit);
    if (!isFound()) runWorkflow(s, world, emit);
  }
  if (path !== 'calls' && !isFound()) schedule(s, world, emit);
  if (path === 'workflow' && !isFound()) actNotifiers(s, world, emit);
  if (!isFound() && s.now < end) tick(s, world, emit);
  return found as { label: string; next: State } | null;
}
