import { plan, waitsForPlan, noteWrite } from './planning.ts';
import { claim, goOn, isOpen, type Hand } from './sending.ts';
import type { Occurrence, State, Workflow } from './state.ts';
import { KEYS, clone, noCall } from './state.ts';
import { FAR, type Emit, type World } from './world.ts';

export const isRunning = ({ phase }: Workflow): boolean => phase !== 'none' && phase !== 'closed';

/** When the workflow is going to ask deliver; one that does, or is about to, wakes at 0. */
export function trueWake({ now, workflow }: State): number {
  const { phase, changed, until } = workflow;
  if (!isRunning(workflow)) return Infinity;
  const isAwake = phase === 'calling' || (phase === 'sleeping' && changed !== 'no');
  return isAwake || until === null || until <= now ? 0 : until;
}

/** Repeat: sleep until the wake or until `changed`; call deliver; sleep until what it answers. */
export function runWorkflow(s: State, world: World, emit: Emit): void {
  const { rules } = world;
  const { phase, until, changed, hadCancel } = s.workflow;
  const isTime = until !== null && until <= s.now;
  if ((phase === 'delayed' && isTime) || (phase === 'sleeping' && (isTime || changed !== 'no'))) {
    const next = clone(s);
    beginCall(next);
    emit('the workflow calls deliver', next);
  }
  if (phase !== 'calling') return;
  const [call] = s.calls;
  if (call.phase === 'answered') {
    const next = clone(s);
    next.calls[0] = noCall();
    // A signal may have come of a new date; a cancel request comes of an end.
    const isOver = call.answer.hasEnded && rules.endedReturns;
    const callsAgain = rules.changedCallsAgain && changed !== 'no';
    if (callsAgain && !(isOver && changed === 'cancel')) {
      beginCall(next);
      return emit('the workflow gets the answer, and calls again', next);
    }
    const wakeAt = isOver ? null : (call.answer.wakeAt ?? FAR);
    next.workflow = {
      phase: isOver ? 'closed' : 'sleeping',
      until: wakeAt,
      changed: 'no',
      hadCancel,
    };
    emit(`the workflow ${isOver ? 'ends' : `sleeps until ${wakeAt}`}`, next);
  } else if (changed !== 'no' && s.calls[1].phase === 'none') {
    const next = clone(s);
    letGo(next);
    beginCall(next);
    emit('the workflow lets go of the call, and calls again', next);
  }
}

/** The worker works on at a call that no workflow waits for any more. There is one such at a time. */
export function letGo(s: State): void {
  s.calls[1] = s.calls[0];
  s.calls[0] = noCall();
}

export function beginCall(s: State): void {
  const { hadCancel } = s.workflow;
  s.workflow = { phase: 'calling', until: null, changed: 'no', hadCancel };
  s.calls[0] = { ...noCall(), phase: 'handed over' };
}

/**
 * An attempt of deliver. One that has to wait, as for another's lease, ends and is made again; here
 * it stays.
 */
export function deliver(s: State, world: World, index: 0 | 1, emit: Emit): void {
  const call = s.calls[index];
  const name = index === 0 ? 'deliver' : 'the abandoned call';
  const hand: Hand = { index: s.dispatchers.length + index, name };
  if (call.phase === 'none' || call.phase === 'answered') return;
  if (call.sender.phase !== 'idle') return goOn(s, world, hand, emit);
  if (!s.database.isUp || call.sender.isSuspended) return;

  if (call.phase === 'handed over') {
    const next = clone(s);
    next.calls[index].phase = 'begun';
    if (!world.rules.callsInOrder) next.calls[index].isLatest = true;
    next.calls[index].sender.isFresh = world.rules.silenceIsOutage && !s.database.isSteady;
    return emit(`${name} begins`, next);
  }
  if (call.phase === 'begun') return look(s, world, index, hand, emit);
  answer(s, world, index, name, emit);
}

function look(s: State, world: World, index: 0 | 1, hand: Hand, emit: Emit): void {
  const { rules } = world;
  const call = s.calls[index];
  if (call.readInputs !== null || (rules.plansFirst && waitsForPlan(s))) {
    const next = clone(s);
    if (!rules.planReadsUnderLock && call.readInputs === null) {
      next.calls[index].readInputs = s.user;
      return emit(`${hand.name} reads the inputs for a plan`, next);
    }
    next.calls[index].readInputs = null;
    // Deferred while it is leased: it waits.
    if (plan(next, world, call.readInputs ?? s.user) === 'planned') {
      return emit(`${hand.name} plans`, next);
    }
  }
  const due = KEYS.filter((key) => isDue(s.occurrences[key], s, world));
  for (const key of due) {
    if (owns(s, s.occurrences[key], world)) claim(s, world, hand, key, emit);
  }
  if (due.length > 0) return;
  const next = clone(s);
  next.calls[index].phase = 'settled';
  emit(`${hand.name} finds nothing due`, next);
}

const isDue = (row: Occurrence, s: State, { rules }: World): boolean =>
  isOpen(row) &&
  row.dueAt !== null &&
  row.dueAt <= s.now &&
  !(row.isRedelivered && !rules.sendsRedeliveries);

/** The workflow's when no dispatcher is alive, or when they pass the row over. */
function owns(s: State, row: Occurrence, { rules, presence }: World): boolean {
  if (presence === null) return true;
  if (presence === 'dead') return rules.stampsExpire;
  if (presence === 'refusing') return rules.refusingIsSilent;
  const claimableAt = row.leaseUntil ?? row.nextAttemptAt;
  return rules.passedOverIsSent && claimableAt !== null && s.now > claimableAt + 1;
}

/** When to wake next: read, and noted as what the workflow knows, in one statement. */
function answer(s: State, { rules }: World, index: 0 | 1, name: string, emit: Emit): void {
  const call = s.calls[index];
  const next = clone(s);
  const own = next.calls[index];
  const { wakeAt, hasEnded } = s.occasion;
  if (call.phase === 'settled' && !rules.readsAndWritesAtOnce) {
    own.phase = 'read';
    own.answer = { wakeAt, hasEnded };
    return emit(`${name} reads its answer`, next);
  }
  if (call.phase === 'settled') own.answer = { wakeAt, hasEnded };
  if (!call.isLatest && rules.lastCallAnswers) {
    next.calls[index] = index === 0 ? { ...noCall(), phase: 'handed over' } : noCall();
    return emit(`${name} is too late to answer`, next);
  }
  if (own.answer.hasEnded) {
    if (rules.endedForgetsWake) next.occasion.notifiedWakeAt = null;
    next.occasion.isEndNotified = true;
  } else {
    next.occasion.notifiedWakeAt = own.answer.wakeAt;
  }
  if (index === 0 || !rules.callsInOrder) next.calls[index === 0 ? 1 : 0].isLatest = false;
  noteWrite(next);
  own.phase = 'answered';
  if (index === 1) next.calls[1] = noCall();
  emit(`${name} writes and gives its answer: ${hasEnded ? 'ended' : `wake at ${wakeAt}`}`, next);
}
