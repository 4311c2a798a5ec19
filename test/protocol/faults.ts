import { die, isSettled } from './sending.ts';
import type { Budget, State } from './state.ts';
import { KEYS, clone, idleNotifier, noCall } from './state.ts';
import { beginCall, isRunning, letGo } from './workflow.ts';
import { at, sendersOf, type Emit, type World } from './world.ts';

/** Whatever the world does to the protocol, as often as it may. */
export function befall(s: State, world: World, emit: Emit): void {
  change(s, world, emit);
  redeliver(s, world, emit);
  outage(s, emit);
  for (const index of s.dispatchers.keys()) suspend(s, world, index, emit);
  for (const index of [0, 1] as const) {
    const { phase } = s.calls[index];
    if (phase !== 'none' && phase !== 'answered') {
      suspend(s, world, s.dispatchers.length + index, emit);
    }
  }
  if (s.left.crashes > 0) crash(s, world, emit);
  const [call, abandoned] = s.calls;
  const canLetGo = abandoned.phase === 'none' && call.phase !== 'answered';
  if (s.left.timeouts > 0 && canLetGo && s.workflow.phase === 'calling') {
    const next = spend(s, 'timeouts');
    letGo(next);
    beginCall(next);
    next.workflow = s.workflow;
    emit('Temporal gives the call up, and has it made again', next);
  }
  if (s.left.terminations > 0 && canLetGo && isRunning(s.workflow)) {
    const next = spend(s, 'terminations');
    letGo(next);
    next.workflow = { phase: 'closed', until: null, changed: 'no', hadCancel: false };
    next.seen.isLost = true;
    emit('an operator terminates the workflow', next);
  }
  if (s.left.renewals > 0 && s.workflow.phase === 'sleeping') {
    const next = spend(s, 'renewals');
    next.workflow = { ...s.workflow, phase: 'delayed', hadCancel: false, changed: 'no' };
    if (s.workflow.changed !== 'no' && world.rules.changedIsHandedOn) beginCall(next);
    emit('the workflow continues as new', next);
  }
}

function spend(s: State, budget: keyof Budget): State {
  const next = clone(s);
  next.left = { ...s.left, [budget]: s.left[budget] - 1 };
  return next;
}

/** The API: the change and its entry in the outbox are one transaction. */
function change(s: State, { bounds }: World, emit: Emit): void {
  if (s.left.changes === 0 || !s.database.isUp || !s.user.exists) return;
  for (const to of bounds.changes) {
    const isPast = to?.some((due, key) => due !== null && due <= s.now && due !== s.user.due[key]);
    if (isPast || (to !== null && to[0] === s.user.due[0] && to[1] === s.user.due[1])) continue;
    const next = spend(s, 'changes');
    next.outbox = { ...s.outbox, isWaiting: true };
    next.user = { exists: to !== null, due: to ?? s.user.due, inputs: s.user.inputs + 1 };
    emit(to === null ? 'the user is deleted' : `the occasion falls due at ${to.join(', ')}`, next);
  }
}

/** The API: only for a user who exists. */
function redeliver(s: State, { bounds }: World, emit: Emit): void {
  if (s.left.redeliveries === 0 || !s.database.isUp || !s.user.exists) return;
  for (const key of KEYS) {
    const { state } = s.occurrences[key];
    if (!isSettled(s.occurrences[key]) || (state === 'COMPLETED' && !bounds.forces)) continue;
    const next = spend(s, 'redeliveries');
    const row = next.occurrences[key];
    row.state = 'PENDING';
    row.isRedelivered = true;
    row.isFollowed = false;
    row.nextAttemptAt = Math.max(row.dueAt ?? 0, s.now);
    next.seen.occurrences[key] = { wasAccepted: false, wasLost: false, isKnown: false };
    for (const [index, notifier] of s.notifiers.entries()) {
      if (notifier.phase !== 'mark' && notifier.phase !== 'look again') continue;
      next.notifiers[index] = { ...notifier, isCurrent: false };
    }
    emit(`occurrence ${key} is redelivered`, next);
  }
}

function outage(s: State, emit: Emit): void {
  if (!s.database.isUp) {
    const next = clone(s);
    next.database = { isUp: true, isSteady: false };
    for (const sender of sendersOf(next)) if (!sender.isSuspended) sender.isFresh = true;
    emit('the database is back', next);
  } else if (s.left.outages > 0) {
    const next = spend(s, 'outages');
    next.database = { isUp: false, isSteady: false };
    emit('the database is away', next);
  }
}

function suspend(s: State, { rules }: World, index: number, emit: Emit): void {
  const sender = at(sendersOf(s), index);
  if (sender.isSuspended) {
    const next = clone(s);
    const own = at(sendersOf(next), index);
    own.isSuspended = false;
    own.isFresh ||= rules.silenceIsOutage && !s.database.isSteady;
    return emit(`sender ${index + 1} goes on`, next);
  }
  if (s.left.suspensions === 0) return;
  // One that holds nothing can only miss an outage.
  if (sender.phase === 'idle' && s.left.outages === 0 && s.database.isSteady) return;
  const next = spend(s, 'suspensions');
  at(sendersOf(next), index).isSuspended = true;
  emit(`sender ${index + 1} stands still`, next);
}

function crash(s: State, { rules }: World, emit: Emit): void {
  for (const [index, dispatcher] of s.dispatchers.entries()) {
    if (dispatcher.phase === 'idle') continue;
    const next = spend(s, 'crashes');
    die(next, index);
    emit(`dispatcher ${index + 1} dies, and starts again`, next);
  }
  for (const index of [0, 1] as const) {
    if (s.calls[index].phase === 'none' || s.calls[index].phase === 'handed over') continue;
    const next = spend(s, 'crashes');
    die(next, s.dispatchers.length + index);
    next.calls[index] = index === 0 ? { ...noCall(), phase: 'handed over' } : noCall();
    emit(`the worker dies at ${index === 0 ? 'deliver' : 'the abandoned call'}`, next);
  }
  for (const [index, notifier] of s.notifiers.entries()) {
    if (notifier.phase === 'idle') continue;
    const next = spend(s, 'crashes');
    next.notifiers[index] = idleNotifier();
    if (notifier.phase === 'write' && !notifier.isCurrent) next.seen.diedNotifying = true;
    emit(`notifier ${index + 1} dies`, next);
  }
  if (s.outbox.isTaken) {
    const next = spend(s, 'crashes');
    next.outbox = { isWaiting: s.outbox.isWaiting || rules.outboxAfterPlan, isTaken: false };
    emit('the scheduler dies', next);
  }
}
