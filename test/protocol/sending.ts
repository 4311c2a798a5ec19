import type { Key, Occurrence, Sender, State } from './state.ts';
import { KEYS, clone, putDown } from './state.ts';
import { LEASE, RETRY, at, sendersOf, violate, type Emit, type World } from './world.ts';

/** Who sends, by its place among all that can: dispatchers first, then calls of deliver. */
export interface Hand {
  readonly index: number;
  readonly name: string;
}

/** A dispatcher takes whatever may be claimed. */
export function claimAny(s: State, world: World, hand: Hand, emit: Emit): void {
  if (!world.rules.graceAtExecution) ask(s, hand, emit);
  for (const key of KEYS) claim(s, world, hand, key, emit);
}

/** It sends a claim that is executed later, and takes expired leases then. */
function ask(s: State, hand: Hand, emit: Emit): void {
  const { phase, isFresh, isSuspended, hasAsked } = at(sendersOf(s), hand.index);
  if (phase !== 'idle' || isFresh || isSuspended || hasAsked || !s.database.isUp) return;
  const next = clone(s);
  at(sendersOf(next), hand.index).hasAsked = true;
  emit(`${hand.name} sends a claim`, next);
}

/** The conditional statement: of two that claim a row at once, one gets it. */
export function claim(s: State, world: World, hand: Hand, key: Key, emit: Emit): void {
  const { rules } = world;
  const sender = at(sendersOf(s), hand.index);
  const row = s.occurrences[key];
  if (!s.database.isUp || sender.isSuspended || sender.phase !== 'idle') return;
  if (!mayClaim(row, sender, s, world)) return;

  const next = clone(s);
  const taken = next.occurrences[key];
  const by = at(sendersOf(next), hand.index);
  const seen = next.seen.occurrences[key];
  if (row.state === 'PROCESSING' && row.leaseUntil !== null && row.leaseUntil > s.now) {
    violate(next, 'claimed twice under one lease');
  }
  for (const other of sendersOf(next)) {
    if (other === by || other.phase === 'idle' || other.key !== key || !other.holdsToken) continue;
    if (rules.claimTakesToken) other.holdsToken = false;
    else violate(next, 'claimed twice under one lease');
  }
  if (seen.isKnown) violate(next, 'sent after the ledger knew');
  taken.state = 'PROCESSING';
  taken.leaseUntil = s.now + LEASE;
  by.phase = 'claimed';
  by.hasAsked = false;
  by.key = key;
  by.holdsToken = true;
  by.leaseUntil = taken.leaseUntil;
  by.isOverdue = false;
  by.isExcused = seen.wasLost;
  emit(`${hand.name} claims occurrence ${key}`, next);
}

function mayClaim(row: Occurrence, sender: Sender, s: State, { rules }: World): boolean {
  const own = s.now + sender.clockOffset;
  const clock = rules.bothClocks ? Math.min(s.now, own) : own;
  if (row.state === 'PENDING') return row.nextAttemptAt !== null && row.nextAttemptAt <= clock;
  if (row.state !== 'PROCESSING' || row.leaseUntil === null) return false;
  if (!rules.leasedIsNotClaimed) return true;
  const hasGrace = rules.graceAfterOutage && sender.isFresh && !sender.hasAsked;
  if (!rules.expiredIsClaimed || hasGrace) return false;
  return row.leaseUntil <= clock;
}

/** What becomes of the row that a process holds; each step can be its last. */
export function goOn(s: State, world: World, hand: Hand, emit: Emit): void {
  const sender = at(sendersOf(s), hand.index);
  if (sender.phase === 'idle') return;
  if (sender.phase === 'sending') return receive(s, hand, emit);
  if (sender.isSuspended || !s.database.isUp) return;
  if (sender.phase === 'claimed') check(s, world, hand, emit);
  else write(s, world, hand, emit);
}

/** The claimed row against the user as it is now; then the request goes out. */
function check(s: State, { rules }: World, hand: Hand, emit: Emit): void {
  const next = clone(s);
  const by = at(sendersOf(next), hand.index);
  const row = next.occurrences[by.key];
  const isSuperseded =
    !row.isRedelivered && row.supersededAt !== null && row.supersededAt <= next.now;
  const isNamed = row.isRedelivered || next.user.due[by.key] === row.dueAt;

  if (rules.sendsWithinLease && by.leaseUntil !== null && next.now >= by.leaseUntil - 1) {
    by.phase = 'return';
    return emit(`${hand.name} has too little left of its lease`, next);
  }
  if (rules.checksUser && !next.user.exists) {
    by.phase = 'end';
    return emit(`${hand.name} finds no user`, next);
  }
  if (rules.checksSuperseded && isSuperseded) {
    by.phase = 'end';
    return emit(`${hand.name} finds occurrence ${by.key} superseded`, next);
  }
  if (rules.checksInputs && next.user.exists && !isNamed) {
    by.phase = 'release';
    return emit(`${hand.name} finds other inputs`, next);
  }
  if (!next.user.exists) violate(next, 'a deleted user is sent only what is on the wire already');
  if (next.user.exists && !isNamed) violate(next, 'sent only as the inputs of now say');
  if (isSuperseded) violate(next, 'not sent once the next has fallen due');
  if (row.dueAt !== null && next.now < row.dueAt && by.holdsToken) violate(next, 'never early');
  by.phase = 'sending';
  // The request has its time, also where the lease is not asked for.
  by.leaseUntil = Math.max(by.leaseUntil ?? 0, next.now + LEASE);
  emit(`${hand.name} sends occurrence ${by.key}`, next);
}

/** The receiver accepts or refuses; it may do so while the sender stands still. */
function receive(s: State, hand: Hand, emit: Emit): void {
  const next = clone(s);
  const by = at(sendersOf(next), hand.index);
  const seen = s.seen.occurrences[by.key];
  by.phase = 'delivered';
  if (seen.wasAccepted && !isExplained(next, by)) violate(next, 'sent twice only in two windows');
  next.seen.occurrences[by.key] = { ...seen, wasAccepted: true };
  emit(`the receiver accepts occurrence ${by.key} from ${hand.name}`, next);

  if (s.left.refusals === 0) return;
  const refused = clone(s);
  refused.left = { ...s.left, refusals: s.left.refusals - 1 };
  at(sendersOf(refused), hand.index).phase = 'refused';
  emit(`the receiver refuses occurrence ${by.key} from ${hand.name}`, refused);
}

/** By one of the two windows, of this attempt or of the one before it. */
function isExplained(s: State, by: Sender): boolean {
  return (
    by.isExcused ||
    by.isOverdue ||
    sendersOf(s).some(
      (other) =>
        other !== by && other.phase === 'delivered' && other.key === by.key && other.isOverdue,
    )
  );
}

function write(s: State, world: World, hand: Hand, emit: Emit): void {
  const { rules, bounds } = world;
  const next = clone(s);
  const by = at(sendersOf(next), hand.index);
  const row = next.occurrences[by.key];
  const isLatest = row.state === 'PROCESSING' && by.holdsToken;
  const what = `${hand.name} writes: ${by.phase}`;

  switch (by.phase) {
    case 'delivered':
      recordDelivery(next, by, row, rules.deliveredCounts || isLatest);
      break;
    case 'refused':
      if (!(rules.tokenAtRecord ? isLatest : isOpenOrDone(row))) break;
      row.wasAttempted = true;
      if (bounds.refusesForGood || mustNotRetry(row, next.now + RETRY)) settleUnsent(row);
      else waitUntil(row, next.now + RETRY);
      break;
    case 'release':
      if (!(rules.tokenAtRelease ? isLatest : isOpen(row))) break;
      waitUntil(row, rules.releasedWaitsForPlan ? null : next.now);
      break;
    case 'end':
      if (rules.tokenAtRelease ? isLatest : isOpen(row)) settleUnsent(row);
      break;
    case 'return':
      if (rules.tokenAtRelease ? isLatest : isOpen(row)) waitUntil(row, row.nextAttemptAt);
      break;
    default:
      return;
  }
  putDown(by);
  emit(what, next);
}

function recordDelivery(s: State, by: Sender, row: Occurrence, counts: boolean): void {
  s.seen.occurrences[by.key] = { ...s.seen.occurrences[by.key], isKnown: true };
  for (const other of sendersOf(s)) {
    if (by.isOverdue && other.key === by.key && other.phase !== 'idle') other.isExcused = true;
  }
  if (!counts || row.state === 'NONE' || row.state === 'COMPLETED') return;
  row.state = 'COMPLETED';
  row.wasAttempted = true;
  row.leaseUntil = null;
  row.nextAttemptAt = null;
  row.isFollowed = false;
}

const isOpenOrDone = (row: Occurrence): boolean => row.state !== 'NONE';

export const isOpen = (row: Occurrence): boolean =>
  row.state === 'PENDING' || row.state === 'PROCESSING';

export const isSettled = (row: Occurrence): boolean => !isOpen(row) && row.state !== 'NONE';

/** Only so that it is settled the sooner: the claim would settle it, too. */
function mustNotRetry({ isRedelivered, supersededAt }: Occurrence, retryAt: number): boolean {
  return !isRedelivered && supersededAt !== null && retryAt >= supersededAt;
}

function waitUntil(row: Occurrence, nextAttemptAt: number | null): void {
  row.state = 'PENDING';
  row.leaseUntil = null;
  row.nextAttemptAt = nextAttemptAt;
}

export function settleUnsent(row: Occurrence): void {
  row.state = row.wasAttempted ? 'FAILED' : 'SKIPPED';
  row.leaseUntil = null;
  row.nextAttemptAt = null;
  row.isFollowed = false;
}

/** A process dies, and another starts in its place; what it held, nobody knows any more. */
export function die(s: State, index: number): void {
  const sender = at(sendersOf(s), index);
  const { key, phase } = sender;
  if (phase === 'delivered') {
    s.seen.occurrences[key] = { ...s.seen.occurrences[key], wasLost: true };
    for (const other of sendersOf(s)) {
      if (other.key === key && other.phase !== 'idle') other.isExcused = true;
    }
  }
  putDown(sender);
  sender.isSuspended = false;
  sender.isFresh = true;
}
