/**
 * Everything that the protocol of one occasion can be in. Time is a small number of ticks.
 * Numbers that only ever grow (lease tokens, row versions) are kept as what they are compared for:
 * whether the one that was read is still the one that is stored.
 */

/** A tick; null: there is no such instant. */
export type Instant = number | null;

/** The two occurrences of the occasion: 0 is this year's, 1 the next. */
export type Key = 0 | 1;
export const KEYS: readonly Key[] = [0, 1];

export interface State {
  /** The database's clock. */
  now: number;
  /** PostgreSQL answers; and it has done so for longer than the grace after an outage. */
  database: Readonly<{ isUp: boolean; isSteady: boolean }>;
  user: Readonly<User>;
  /** A change that no plan knows yet; and one that was planned, and is not marked done. */
  outbox: Readonly<{ isWaiting: boolean; isTaken: boolean }>;
  occurrences: [Occurrence, Occurrence];
  occasion: Occasion;
  workflow: Readonly<Workflow>;
  dispatchers: Sender[];
  /** The call of deliver that the workflow waits for, and one that it has let go of. */
  calls: [Call, Call];
  notifiers: Readonly<Notifier>[];
  /** How often each fault and each change can still happen. */
  left: Readonly<Budget>;
  /** What an observer outside knows, and no process does. */
  seen: Seen;
}

export interface User {
  exists: boolean;
  /** When each occurrence falls due by the inputs of now; null: they do not name it. */
  due: readonly [Instant, Instant];
  /** Counts the changes of the inputs. */
  inputs: number;
}

export interface Occurrence {
  state: 'NONE' | 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';
  dueAt: Instant;
  supersededAt: Instant;
  nextAttemptAt: Instant;
  leaseUntil: Instant;
  wasAttempted: boolean;
  isRedelivered: boolean;
  isFollowed: boolean;
  /** The change of the user's inputs that the plan knew. */
  inputs: number;
}

export interface Occasion {
  wakeAt: Instant;
  /** What wakeAt was computed for. */
  wakeDueAt: Instant;
  notifiedWakeAt: Instant;
  hasEnded: boolean;
  isEndNotified: boolean;
}

/** The workflow in Temporal. */
export interface Workflow {
  phase: 'none' | 'delayed' | 'sleeping' | 'calling' | 'closed';
  /** Until when it is delayed or sleeps. */
  until: Instant;
  /** A cancel request, or a signal and maybe that too, which it has not acted on. */
  changed: 'no' | 'cancel' | 'signal';
  /** This run has had its cancel request; a second one is lost. */
  hadCancel: boolean;
}

/**
 * What a process does with the row that it holds: checks it, sends it, or has something to write:
 * that it was delivered or refused; that it waits for a plan, is settled unsent or due again.
 */
export type SenderPhase =
  | 'idle'
  | 'claimed'
  | 'sending'
  | 'delivered'
  | 'refused'
  | 'release'
  | 'end'
  | 'return';

/** A process with at most one occurrence in its hands. */
export interface Sender {
  phase: SenderPhase;
  key: Key;
  /** Its lease is the row's latest: the tokens are equal. */
  holdsToken: boolean;
  leaseUntil: Instant;
  /** It takes no expired lease: started, or cut off from the database, a moment ago. */
  isFresh: boolean;
  isSuspended: boolean;
  /** Its clock less the database's. */
  clockOffset: number;
  /** Its lease ended while it was suspended: the second window. */
  isOverdue: boolean;
  /** A second delivery by it is explained by one of the windows. */
  isExcused: boolean;
  /** A claim is under way that was sent before an outage; only where the grace is judged then. */
  hasAsked: boolean;
}

/** An attempt of the activity deliver. */
export interface Call {
  phase: 'none' | 'handed over' | 'begun' | 'read' | 'settled' | 'answered';
  sender: Sender;
  /** No later call has written its answer. */
  isLatest: boolean;
  answer: Readonly<{ wakeAt: Instant; hasEnded: boolean }>;
  /** Inputs that it read for a plan; only where a plan does not read under the lock. */
  readInputs: Readonly<User> | null;
}

export interface Notifier {
  phase:
    | 'idle'
    | 'start'
    | 'signal'
    | 'cancel'
    | 'signal end'
    | 'look again'
    | 'mark'
    | 'write'
    | 'write end';
  /** As it read them. */
  wakeAt: Instant;
  notifiedWakeAt: Instant;
  /** The occasion's row has not been written since. */
  isCurrent: boolean;
  key: Key;
}

export interface Budget {
  crashes: number;
  suspensions: number;
  outages: number;
  refusals: number;
  changes: number;
  redeliveries: number;
  /** Calls of deliver that Temporal gives up. */
  timeouts: number;
  /** Workflows that an operator terminates. */
  terminations: number;
  /** Workflows that continue as new. */
  renewals: number;
}

export interface Seen {
  occurrences: [Readonly<SeenOccurrence>, Readonly<SeenOccurrence>];
  /** A plan has known that the user is gone. */
  isDeletionPlanned: boolean;
  /** An operator terminated the workflow, and nothing has found that out. */
  isLost: boolean;
  /** A notifier died between starting a workflow and writing that it did. */
  diedNotifying: boolean;
  /** The first rule that was broken by a step, rather than in a state. */
  violation: string | null;
}

/** Since the occurrence was last asked for. */
export interface SeenOccurrence {
  wasAccepted: boolean;
  /** The receiver accepted it, and the process died before the ledger knew: the first window. */
  wasLost: boolean;
  /** The ledger has recorded that the receiver accepted it. */
  isKnown: boolean;
}

const idleSender = (clockOffset = 0): Sender => ({
  phase: 'idle',
  key: 0,
  holdsToken: false,
  leaseUntil: null,
  isFresh: false,
  isSuspended: false,
  clockOffset,
  isOverdue: false,
  isExcused: false,
  hasAsked: false,
});

export const noCall = (): Call => ({
  phase: 'none',
  sender: idleSender(),
  isLatest: true,
  answer: { wakeAt: null, hasEnded: false },
  readInputs: null,
});

export const idleNotifier = (): Notifier => ({
  phase: 'idle',
  wakeAt: null,
  notifiedWakeAt: null,
  isCurrent: false,
  key: 0,
});

/** It holds nothing any more. */
export function putDown(sender: Sender): void {
  sender.phase = 'idle';
  sender.holdsToken = false;
  sender.leaseUntil = null;
  sender.isOverdue = false;
  sender.isExcused = false;
  sender.hasAsked = false;
}

export const noOccurrence = (): Occurrence => ({
  state: 'NONE',
  dueAt: null,
  supersededAt: null,
  nextAttemptAt: null,
  leaseUntil: null,
  wasAttempted: false,
  isRedelivered: false,
  isFollowed: false,
  inputs: 0,
});

export const createSender = idleSender;

/** What is readonly is shared: it is replaced as a whole. */
export function clone(s: State): State {
  return {
    now: s.now,
    database: s.database,
    user: s.user,
    outbox: s.outbox,
    occurrences: [{ ...s.occurrences[0] }, { ...s.occurrences[1] }],
    occasion: { ...s.occasion },
    workflow: s.workflow,
    dispatchers: s.dispatchers.map((dispatcher) => ({ ...dispatcher })),
    calls: [cloneCall(s.calls[0]), cloneCall(s.calls[1])],
    notifiers: s.notifiers.slice(),
    left: s.left,
    seen: { ...s.seen, occurrences: [s.seen.occurrences[0], s.seen.occurrences[1]] },
  };
}

const cloneCall = (call: Call): Call => ({ ...call, sender: { ...call.sender } });
