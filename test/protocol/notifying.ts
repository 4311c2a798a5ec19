import { noteWrite } from './planning.ts';
import { isOpen } from './sending.ts';
import type { Notifier, State } from './state.ts';
import { KEYS, clone, idleNotifier } from './state.ts';
import { at, violate, type Emit, type World } from './world.ts';
import { beginCall, isRunning } from './workflow.ts';

/**
 * The notifier brings Temporal to what the plan says: reads, notifies, writes that it did. Two of
 * them can be at it at once, when one stood still until its own lease had passed on.
 */
export function notify(s: State, world: World, index: number, emit: Emit): void {
  const name = `notifier ${index + 1}`;
  const notifier = at(s.notifiers, index);
  if (notifier.phase === 'idle') return read(s, world, index, name, emit);
  const next = clone(s);
  const goOn = (phase: Notifier['phase'], label: string): void => {
    next.notifiers[index] = { ...notifier, phase };
    emit(`${name} ${label}`, next);
  };
  switch (notifier.phase) {
    case 'start':
      return goOn(tellStart(next, notifier, world), 'asks Temporal to start the workflow');
    case 'signal':
      tellChanged(next, notifier, world);
      return goOn('write', 'signals that something changed');
    case 'signal end':
      tellEnd(next, world);
      return goOn('cancel', 'signals an ended occasion');
    case 'cancel':
      tellCancel(next, world);
      return goOn('write end', "requests the workflow's cancellation");
    case 'look again':
      signalWithStart(next, s.now);
      return goOn('mark', 'signals a redelivery');
    default:
      if (!s.database.isUp) return;
      next.notifiers[index] = idleNotifier();
      write(next, notifier, world);
      emit(`${name} writes what it notified`, next);
  }
}

function read(s: State, world: World, index: number, name: string, emit: Emit): void {
  const { hasEnded, isEndNotified, wakeAt, notifiedWakeAt } = s.occasion;
  if (!s.database.isUp) return;
  const begin = (phase: Notifier['phase'], key: 0 | 1 = 0): State => {
    const next = clone(s);
    next.notifiers[index] = { phase, wakeAt, notifiedWakeAt, isCurrent: true, key };
    return next;
  };
  if (hasEnded && !isEndNotified) {
    emit(`${name} reads that the occasion has ended`, begin('signal end'));
  } else if (!hasEnded && wakeAt !== null && (notifiedWakeAt === null || notifiedWakeAt > wakeAt)) {
    const next = begin(notifiedWakeAt === null ? 'start' : 'signal');
    if (!world.rules.tellsThenWrites) {
      next.occasion.notifiedWakeAt = wakeAt;
      noteWrite(next);
    }
    emit(`${name} reads that the workflow is to wake at ${wakeAt}`, next);
  }
  if (!world.rules.redeliveryIsNotified) return;
  for (const key of KEYS) {
    const row = s.occurrences[key];
    if (!isOpen(row) || !row.isRedelivered || row.isFollowed) continue;
    emit(`${name} reads that occurrence ${key} is redelivered`, begin('look again', key));
  }
}

function tellStart(s: State, notifier: Notifier, { rules }: World): 'signal' | 'write' {
  if (isRunning(s.workflow)) return rules.signalsExisting ? 'signal' : 'write';
  startWorkflow(s, notifier.wakeAt ?? s.now);
  return 'write';
}

function tellChanged(s: State, { wakeAt }: Notifier, { rules }: World): void {
  if (rules.cutsDelay) signalWithStart(s, wakeAt ?? s.now);
  else if (isRunning(s.workflow)) signal(s);
}

/** To what is there already: `changed`, and an end to its start delay. To nothing: a start. */
function signalWithStart(s: State, until: number): void {
  if (!isRunning(s.workflow)) startWorkflow(s, until);
  else if (s.workflow.phase === 'delayed') beginCall(s);
  else signal(s);
}

/** It does not end a start delay. */
function signal(s: State): void {
  s.workflow = { ...s.workflow, changed: 'signal' };
}

function startWorkflow(s: State, until: number): void {
  s.workflow = { phase: 'delayed', until, changed: 'no', hadCancel: false };
  forgetLost(s);
}

/** Unless a call of the workflow that was terminated still runs. */
function forgetLost(s: State): void {
  if (s.calls[1].phase === 'none') s.seen.isLost = false;
}

function tellEnd(s: State, { rules }: World): void {
  if (isRunning(s.workflow)) {
    if (rules.endSignals) signal(s);
  } else if (!rules.endNeverStarts) {
    startWorkflow(s, s.now);
    violate(s, 'nothing ended is resurrected');
  }
}

function tellCancel(s: State, { rules }: World): void {
  const { phase, changed, hadCancel } = s.workflow;
  if (!rules.endCancels || !isRunning(s.workflow) || hadCancel) return;
  const isHeard = rules.cancelLooksAgain && changed === 'no';
  s.workflow = { ...s.workflow, hadCancel: true, changed: isHeard ? 'cancel' : changed };
  if (!rules.cancelLooksAgain) s.workflow = { ...s.workflow, phase: 'closed' };
  else if (phase === 'delayed') beginCall(s);
}

function write(s: State, notifier: Notifier, { rules }: World): void {
  const { occasion } = s;
  const { phase, wakeAt, notifiedWakeAt, isCurrent, key } = notifier;
  if (phase === 'mark') {
    const row = s.occurrences[key];
    if (isCurrent && isOpen(row) && row.isRedelivered) row.isFollowed = true;
    return;
  }
  const isSame =
    !occasion.hasEnded && occasion.wakeAt === wakeAt && occasion.notifiedWakeAt === notifiedWakeAt;
  if (phase === 'write end') {
    if (isCurrent) occasion.isEndNotified = true;
    // Not found is done, too.
    if (isCurrent) forgetLost(s);
  } else if (rules.tellsThenWrites && (rules.writesByVersion ? isCurrent : isSame)) {
    occasion.notifiedWakeAt = wakeAt;
  } else if (rules.overtakenEndsAgain && occasion.hasEnded) {
    occasion.isEndNotified = false;
  }
  noteWrite(s);
}
