import type {
  Call,
  Instant,
  Notifier,
  Occurrence,
  SeenOccurrence,
  Sender,
  State,
} from './state.ts';
import { KEYS } from './state.ts';

/** The state as a short string; two dispatchers, or two notifiers, that change places are one. */
export function encode(s: State): string {
  length = 0;
  put(s.now);
  put(
    flags(
      s.database.isUp,
      s.database.isSteady,
      s.outbox.isWaiting,
      s.outbox.isTaken,
      s.user.exists,
    ),
  );
  put(flags(s.occasion.hasEnded, s.occasion.isEndNotified, s.seen.isDeletionPlanned));
  put(
    flags(s.workflow.hadCancel, s.seen.isLost, s.seen.diedNotifying) * 16 +
      CHANGED.indexOf(s.workflow.changed) * 5 +
      WORKFLOW_PHASES.indexOf(s.workflow.phase),
  );
  putInstant(s.user.due[0]);
  putInstant(s.user.due[1]);
  put(s.user.inputs);
  putInstant(s.occasion.wakeAt);
  putInstant(s.occasion.wakeDueAt);
  putInstant(s.occasion.notifiedWakeAt);
  putInstant(s.workflow.until);
  const { left } = s;
  put(left.crashes * 64 + left.suspensions * 16 + left.outages * 4 + left.refusals);
  put(left.changes * 64 + left.redeliveries * 16 + left.timeouts * 4 + left.terminations);
  put(left.renewals);
  for (const key of KEYS) putOccurrence(s.occurrences[key], s.seen.occurrences[key]);
  putCall(s.calls[0]);
  putCall(s.calls[1]);
  putInOrder(s.dispatchers, senderCode);
  putInOrder(s.notifiers, notifierCode);
  return String.fromCharCode.apply(null, codes.slice(0, length));
}

const STATES = ['NONE', 'PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED'];
const WORKFLOW_PHASES = ['none', 'delayed', 'sleeping', 'calling', 'closed'];
const CHANGED = ['no', 'cancel', 'signal'];
const SENDER_PHASES = [
  'idle',
  'claimed',
  'sending',
  'delivered',
  'refused',
  'release',
  'end',
  'return',
];
const CALL_PHASES = ['none', 'handed over', 'begun', 'read', 'settled', 'answered'];
const NOTIFIER_PHASES = [
  'idle',
  'start',
  'signal',
  'cancel',
  'signal end',
  'look again',
  'mark',
  'write',
  'write end',
];

/** Numbers below 256, so that a character of the key is one byte. */
const codes: number[] = [];
let length = 0;

function put(code: number): void {
  codes[length++] = code;
}

function putInstant(at: Instant): void {
  put(at === null ? 0 : at + 1);
}

function flags(a: boolean, b = false, c = false, d = false, e = false, f = false): number {
  return (
    Number(a) + Number(b) * 2 + Number(c) * 4 + Number(d) * 8 + Number(e) * 16 + Number(f) * 32
  );
}

function putOccurrence(row: Occurrence, seen: SeenOccurrence): void {
  put(STATES.indexOf(row.state));
  if (row.state === 'NONE' && !seen.wasAccepted) return;
  putInstant(row.dueAt);
  putInstant(row.supersededAt);
  putInstant(row.nextAttemptAt);
  putInstant(row.leaseUntil);
  put(row.inputs);
  put(
    flags(
      row.wasAttempted,
      row.isRedelivered,
      row.isFollowed,
      seen.wasAccepted,
      seen.wasLost,
      seen.isKnown,
    ),
  );
}

function putCall(call: Call): void {
  put(CALL_PHASES.indexOf(call.phase));
  if (call.phase === 'none') return;
  putInstant(call.answer.wakeAt);
  put(flags(call.isLatest, call.answer.hasEnded));
  put(call.readInputs === null ? 0 : call.readInputs.inputs + 1);
  putWide(senderCode(call.sender));
}

/** Of two alike the lesser first. */
function putInOrder<Part>(parts: readonly Part[], codeOf: (part: Part) => number): void {
  const [first, second] = parts;
  if (first === undefined) return;
  const one = codeOf(first);
  if (second === undefined) return putWide(one);
  const other = codeOf(second);
  putWide(Math.min(one, other));
  putWide(Math.max(one, other));
}

/** A number below 2 ** 32. */
function putWide(code: number): void {
  put(code & 255);
  put((code >>> 8) & 255);
  put((code >>> 16) & 255);
  put(code >>> 24);
}

function senderCode(sender: Sender): number {
  const state = flags(
    sender.isFresh,
    sender.isSuspended,
    sender.holdsToken,
    sender.isOverdue,
    sender.isExcused,
    sender.hasAsked,
  );
  const held = SENDER_PHASES.indexOf(sender.phase) * 2 + (sender.phase === 'idle' ? 0 : sender.key);
  return ((held * 64 + state) * 8 + sender.clockOffset + 4) * 64 + (sender.leaseUntil ?? -1) + 1;
}

function notifierCode(notifier: Notifier): number {
  if (notifier.phase === 'idle') return 0;
  const { phase, key, isCurrent, wakeAt, notifiedWakeAt } = notifier;
  const job = (NOTIFIER_PHASES.indexOf(phase) * 2 + key) * 2 + Number(isCurrent);
  return (job * 64 + (wakeAt ?? -1) + 1) * 64 + (notifiedWakeAt ?? -1) + 1;
}
