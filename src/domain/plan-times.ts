import { spreadOf } from './spread.ts';

const HOUR_MS = 3_600_000;

/**
 * When a plan is made once more before its instant, because zone law changes while a
 * timer sleeps for a year: between 60 and 36 h before, by user, so that it is never
 * everybody at 9:00 of another day. Epoch ms.
 */
export function recheckAt(fireAt: number, userId: string): number {
  return fireAt - 36 * HOUR_MS - Math.floor(spreadOf(userId, 'recheck') * 24 * HOUR_MS);
}

/**
 * When a user's workflow wakes to arm its delivery: `armLeadMs` before the instant and
 * earlier by up to `armWindowMs`, by user, so that a herd arms at a rate the engine
 * takes. Epoch ms, never after `fireAt`.
 */
export function armAt(
  fireAt: number,
  userId: string,
  armLeadMs: number,
  armWindowMs: number,
): number {
  return fireAt - armLeadMs - Math.floor(spreadOf(userId, 'arm') * armWindowMs);
}
