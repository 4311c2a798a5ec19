import { isOpen, isSettled, settleUnsent } from './sending.ts';
import type { Key, Occurrence, State, User } from './state.ts';
import { KEYS, clone, noOccurrence } from './state.ts';
import { violate, type Emit, type World } from './world.ts';

/** The scheduler: changes from the outbox, and what the ledger says is to be planned. */
export function schedule(s: State, world: World, emit: Emit): void {
  if (!s.database.isUp) return;
  const { rules } = world;
  if (s.outbox.isTaken) {
    const next = clone(s);
    const isDeferred = !rules.outboxAfterPlan && plan(next, world) === 'deferred';
    next.outbox = { isWaiting: s.outbox.isWaiting || isDeferred, isTaken: false };
    emit(`the scheduler ${rules.outboxAfterPlan ? 'marks the change done' : 'plans'}`, next);
  } else if (s.outbox.isWaiting) {
    const next = clone(s);
    const isDeferred = rules.outboxAfterPlan && plan(next, world) === 'deferred';
    next.outbox = { isWaiting: isDeferred, isTaken: !isDeferred };
    emit(`the scheduler ${rules.outboxAfterPlan ? 'plans' : 'takes'} the change`, next);
  }
  if (rules.settledIsFollowed && waitsForPlan(s)) {
    const next = clone(s);
    plan(next, world);
    emit('the scheduler plans what the ledger shows', next);
  }
}

/** Settled, with nothing planned after it; or released. */
export function waitsForPlan(s: State): boolean {
  return s.occurrences.some(
    (row) =>
      (isSettled(row) && !row.isFollowed) ||
      (row.state === 'PENDING' && row.nextAttemptAt === null),
  );
}

/** One transaction, under the locks of the user, the occasion and its open rows. */
export function plan(s: State, world: World, inputs: User = s.user): 'planned' | 'deferred' {
  const { rules } = world;
  if (!inputs.exists) return planDeletion(s, world);
  const open = KEYS.filter((key) => {
    const row = s.occurrences[key];
    return isOpen(row) && !(row.isRedelivered && rules.redeliveredIsNoPlan);
  });
  if (rules.leasedIsDeferred && open.some((key) => isLeased(s.occurrences[key], s))) {
    return 'deferred';
  }

  const target = decide(s, world, inputs);
  for (const key of open) {
    if (key !== target && rules.oneOpenRow) replace(s, key);
  }
  for (const key of KEYS) {
    const due = inputs.due[key];
    const row = s.occurrences[key];
    const fellDue = due !== null && due <= s.now;
    if (key !== target && fellDue && row.state === 'NONE' && target !== null && key < target) {
      Object.assign(row, { dueAt: due, inputs: inputs.inputs });
      settleUnsent(row);
    }
  }
  if (target !== null) upsert(s, world, target, inputs);
  follow(s, world);
  writeOccasion(s, world, target === null ? null : inputs.due[target]);
  return 'planned';
}

/** The latest that fell due and is not settled, or else the first that comes. */
export function decide(s: State, { rules }: World, inputs: User): Key | null {
  const candidates = KEYS.filter((key) => {
    const row = s.occurrences[key];
    const due = inputs.due[key];
    if (due === null) return false;
    if (rules.redeliveredIsNoPlan && row.isRedelivered) return false;
    if (isFinal(row)) return !rules.finalIsNotPlanned;
    if (row.state === 'SKIPPED') return due > s.now;
    return !(key === 0 && isFinal(s.occurrences[1]));
  });
  const fell = candidates.filter((key) => (inputs.due[key] ?? 0) <= s.now);
  const coming = candidates.toSorted(
    (one, other) => (inputs.due[one] ?? 0) - (inputs.due[other] ?? 0),
  );
  return fell.at(-1) ?? coming[0] ?? null;
}

const isFinal = (row: Occurrence): boolean => row.state === 'COMPLETED' || row.state === 'FAILED';

const isLeased = (row: Occurrence, s: State): boolean =>
  row.state === 'PROCESSING' && row.leaseUntil !== null && row.leaseUntil > s.now;

function planDeletion(s: State, { rules }: World): 'planned' | 'deferred' {
  let isDeferred = false;
  for (const row of s.occurrences) {
    if (!isOpen(row) || (row.isRedelivered && !rules.deletionSettlesAll)) continue;
    if (rules.leasedIsDeferred && isLeased(row, s)) isDeferred = true;
    else settleUnsent(row);
  }
  if (isDeferred) return 'deferred';
  s.seen.isDeletionPlanned = true;
  for (const row of s.occurrences) row.isFollowed = isSettled(row);
  end(s);
  noteWrite(s);
  return 'planned';
}

/** The open row gives way to another: removed if it never fell due, else settled. */
function replace(s: State, key: Key): void {
  const row = s.occurrences[key];
  if (row.isRedelivered) violate(s, 'a redelivery ends by an attempt, or with its user');
  if (row.wasAttempted || row.state !== 'PENDING' || (row.dueAt !== null && row.dueAt <= s.now)) {
    return settleUnsent(row);
  }
  s.occurrences[key] = noOccurrence();
}

function upsert(s: State, { rules }: World, key: Key, inputs: User): void {
  const row = s.occurrences[key];
  const dueAt = inputs.due[key];
  const isMoved = row.dueAt !== dueAt;
  if (row.state === 'PROCESSING') {
    if (isMoved || !rules.leasedIsDeferred) {
      row.state = 'PENDING';
      row.leaseUntil = null;
      row.nextAttemptAt = Math.max(dueAt ?? 0, rules.movedExpiredWaits ? s.now + 1 : 0);
    }
  } else if (row.state !== 'PENDING' || isMoved) {
    row.state = 'PENDING';
    row.nextAttemptAt = dueAt;
  } else {
    row.nextAttemptAt ??= dueAt;
  }
  row.dueAt = dueAt;
  row.supersededAt = key === 0 ? inputs.due[1] : null;
  row.inputs = inputs.inputs;
  row.isFollowed = false;
}

/** What comes after the settled rows is planned now. */
function follow(s: State, { rules }: World): void {
  for (const row of s.occurrences) {
    if (isSettled(row) || (isOpen(row) && row.isRedelivered && !rules.redeliveryIsNotified)) {
      row.isFollowed = true;
    }
  }
}

function writeOccasion(s: State, { rules }: World, dueAt: number | null): void {
  const { occasion } = s;
  if (dueAt === null) {
    end(s);
  } else {
    if (occasion.hasEnded) {
      occasion.hasEnded = false;
      if (occasion.isEndNotified && rules.revivalForgetsWake) occasion.notifiedWakeAt = null;
      if (rules.revivalForgetsEnd) occasion.isEndNotified = false;
    }
    if (occasion.wakeDueAt !== dueAt && (rules.wakeFollowsPlan || occasion.wakeAt === null)) {
      occasion.wakeAt = dueAt;
      occasion.wakeDueAt = dueAt;
    }
  }
  noteWrite(s);
}

function end({ occasion }: State): void {
  occasion.hasEnded = true;
  occasion.wakeAt = null;
  occasion.wakeDueAt = null;
}

/** The version of the occasion's row goes up: what was read of it is no longer current. */
export function noteWrite(s: State): void {
  for (const [index, notifier] of s.notifiers.entries()) {
    if (notifier.phase === 'look again' || notifier.phase === 'mark') continue;
    if (notifier.isCurrent) s.notifiers[index] = { ...notifier, isCurrent: false };
  }
}
