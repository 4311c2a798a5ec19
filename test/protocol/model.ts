/**
 * The protocol of one occasion, written down in code, and explored in all its interleavings.
 *
 * Two paths deliver, by one ledger. The planner writes into the ledger when the occurrence falls
 * due, and into the occasion's row when its workflow is to wake. At the due instant a dispatcher
 * claims the row: it takes a lease with a new token, checks the row against the user as it is now,
 * sends, and records the outcome under its token. If no dispatcher does so, the occasion's workflow
 * in Temporal, which sleeps until the wake, calls `deliver`, and that does just the same. A process
 * that dies leaves a lease that ends, and then another claims the row.
 *
 * The notifier makes the workflow wake when the plan says. It reads the occasion's row, tells
 * Temporal (start, or `changed` to what runs already), and notes that it did, unless the row has
 * been written meanwhile. `deliver` notes its answer, the next wake, in the statement that reads
 * it. So `notified_wake_at` never promises a wake that is earlier than the true one, and whenever
 * it is later than the plan's the workflow is notified. Of an occasion that has ended, the workflow
 * gets `changed` and a cancel request; only `deliver` says that it ends.
 *
 * What is modelled, and how:
 * - A step is what happens at once: one statement or transaction, one call of Temporal, one request.
 *   Between two steps a process can die or stand still, and anybody else can go on. Every order of
 *   steps is explored, breadth first, within the bounds of a life (lives.ts); a state that was met
 *   before, on whatever way, is not followed again.
 * - Time is a handful of ticks, and it passes only while nobody who holds a row could go on. So who
 *   is slower than that is suspended (a fault that is counted), or the database is away.
 * - Temporal or the scheduler being away is nothing but their steps coming later. The database being
 *   away is a fault of its own, because the leases run on meanwhile. A process that is alone cut
 *   off from the database looks to all others like one that stands still.
 * - The receiver accepts or refuses. That it accepts and its answer is lost is, for the ledger,
 *   a refusal; the receiver tells it by the webhook's id.
 * - A plan is one transaction under locks, and so one step. The date rule is reduced to two
 *   occurrences and their instants.
 * - After every state, as an experiment, all processes die, nothing fails any more, and only one
 *   path starts again (completion.ts): everything that is due must end settled, and what comes next
 *   be planned.
 * - What an operator terminates by hand is the reconciler's, which is not part of this.
 *
 * The rules have names (rules.ts). Without any one of them, a life is found that goes wrong.
 */
import { befall } from './faults.ts';
import { notify } from './notifying.ts';
import { schedule } from './planning.ts';
import { claimAny, goOn, type Hand } from './sending.ts';
import type { Sender, State } from './state.ts';
import { clone, createSender, idleNotifier, noCall, noOccurrence } from './state.ts';
import { NO_BUDGET, sendersOf, type Bounds, type Emit, type World } from './world.ts';
import { deliver, runWorkflow } from './workflow.ts';

export function firstState(bounds: Bounds): State {
  const isPlanned = bounds.start === 'planned';
  const [dueAt, nextDueAt] = bounds.due;
  const s: State = {
    now: 0,
    database: { isUp: true, isSteady: true },
    user: { exists: true, due: bounds.due, inputs: 0 },
    outbox: { isWaiting: !isPlanned, isTaken: false },
    occurrences: [noOccurrence(), noOccurrence()],
    occasion: {
      wakeAt: null,
      wakeDueAt: null,
      notifiedWakeAt: null,
      hasEnded: false,
      isEndNotified: false,
    },
    workflow: { phase: 'none', until: null, changed: 'no', hadCancel: false },
    dispatchers: Array.from({ length: bounds.dispatchers }, (_, index) =>
      createSender(bounds.clockOffsets?.[index]),
    ),
    calls: [noCall(), noCall()],
    notifiers: Array.from({ length: bounds.notifiers }, idleNotifier),
    left: { ...NO_BUDGET, ...bounds.left },
    seen: {
      occurrences: [
        { wasAccepted: false, wasLost: false, isKnown: false },
        { wasAccepted: false, wasLost: false, isKnown: false },
      ],
      isDeletionPlanned: false,
      isLost: false,
      diedNotifying: false,
      violation: null,
    },
  };
  if (!isPlanned) return s;
  Object.assign(s.occurrences[0], {
    state: 'PENDING',
    dueAt,
    nextAttemptAt: dueAt,
    supersededAt: nextDueAt,
  });
  Object.assign(s.occasion, { wakeAt: dueAt, wakeDueAt: dueAt, notifiedWakeAt: dueAt });
  s.workflow = { phase: 'delayed', until: dueAt, changed: 'no', hadCancel: false };
  return s;
}

/** Every step that can be made, by the protocol or by the world. */
export function explore(s: State, world: World, emit: Emit): void {
  actDispatchers(s, world, emit);
  actCalls(s, world, emit);
  runWorkflow(s, world, emit);
  actNotifiers(s, world, emit);
  schedule(s, world, emit);
  befall(s, world, emit);
  if (s.now < world.bounds.horizon) tick(s, world, emit);
}

export function actDispatchers(s: State, world: World, emit: Emit): void {
  for (const index of s.dispatchers.keys()) {
    const hand: Hand = { index, name: `dispatcher ${index + 1}` };
    claimAny(s, world, hand, emit);
    goOn(s, world, hand, emit);
  }
}

export function actCalls(s: State, world: World, emit: Emit): void {
  deliver(s, world, 0, emit);
  deliver(s, world, 1, emit);
}

export function actNotifiers(s: State, world: World, emit: Emit): void {
  for (const index of s.notifiers.keys()) notify(s, world, index, emit);
}

/**
 * Time passes only while nobody who holds a row could go on: who is slower than that is suspended,
 * or the database is away.
 */
export function tick(s: State, world: World, emit: Emit): void {
  if (sendersOf(s).some((sender) => isUrgent(sender, s, world))) return;
  const next = clone(s);
  next.now++;
  if (s.database.isUp) next.database = { isUp: true, isSteady: true };
  for (const sender of sendersOf(next)) {
    if (s.database.isUp && !sender.isSuspended) sender.isFresh = false;
    const isLeaseOver = sender.leaseUntil !== null && sender.leaseUntil <= next.now;
    if (sender.phase !== 'idle' && sender.isSuspended && isLeaseOver) sender.isOverdue = true;
  }
  emit(`it is ${next.now}`, next);
}

function isUrgent(sender: Sender, s: State, { rules }: World): boolean {
  if (sender.phase === 'idle' || sender.isSuspended) return false;
  if (sender.phase === 'sending')
    return sender.leaseUntil !== null && s.now >= sender.leaseUntil - 1;
  if (!s.database.isUp) return false;
  return sender.phase === 'claimed' || rules.outcomesFirst || !sender.isFresh;
}
