import { decide } from './planning.ts';
import { isOpen } from './sending.ts';
import type { State } from './state.ts';
import { KEYS } from './state.ts';
import { isRunning, trueWake } from './workflow.ts';
import type { World } from './world.ts';

/** What must hold in every state; null when it does. */
export function violated(s: State): string | null {
  const { notifiedWakeAt, hasEnded, isEndNotified } = s.occasion;
  if (s.seen.violation !== null) return s.seen.violation;
  const isKnown = notifiedWakeAt !== null && !s.seen.isLost && !(hasEnded && isEndNotified);
  if (isKnown && trueWake(s) > notifiedWakeAt) {
    return 'notified_wake_at is never earlier than the true wake';
  }
  if (s.seen.isDeletionPlanned && s.occurrences.some(isOpen)) {
    return 'nothing of a deleted user stays open';
  }
  const open = s.occurrences.filter((row) => isOpen(row) && !row.isRedelivered);
  return open.length > 1 ? 'one open row an occasion' : null;
}

/** What must hold at the end, when everybody who is alive has done what there was to do. */
export function unsettled(s: State, world: World, path: Path): string | null {
  for (const key of KEYS) {
    const row = s.occurrences[key];
    if (isOpen(row) && row.dueAt !== null && row.dueAt <= s.now) return 'what is due ends settled';
  }
  if (path !== 'calls' && s.outbox.isWaiting) return 'every change ends planned';
  const target = s.user.exists ? decide(s, world, s.user) : null;
  const row = target === null ? null : s.occurrences[target];
  if (row !== null && !(isOpen(row) && row.dueAt === s.user.due[target ?? 0])) {
    return 'what comes next ends planned';
  }
  if (target === null && s.occurrences.some(isOpen)) return 'nothing else is planned';
  if (path !== 'workflow') return null;
  if (s.occasion.hasEnded) {
    const isLeft = isRunning(s.workflow) && !s.seen.diedNotifying;
    return isLeft ? "an ended occasion's workflow ends" : null;
  }
  return trueWake(s) <= (s.occasion.wakeAt ?? Infinity)
    ? null
    : 'a living occasion has its workflow';
}

/** Who stays alive: dispatchers and scheduler; scheduler, Temporal and workers; the last alone. */
export type Path = 'ledger' | 'workflow' | 'calls';
