/** Fake answers of deliver. */
import type { DeliverAnswer } from '../../src/workflows/contract.ts';

/** What deliver does in its nth call for an occasion, counted from 1. */
export type Play = (call: number) => DeliverAnswer | Promise<DeliverAnswer>;

const YEAR = 365 * 86_400_000;

/** An occurrence is to come at `wakeAt`, epoch ms. */
export function asleepUntil(
  wakeAt: number,
  settled: DeliverAnswer['settled'] = null,
): DeliverAnswer {
  const next = {
    occurrenceKey: 'birthday:0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f:2027',
    dueAt: wakeAt,
  };
  return { ended: false, wakeAt, next, blockedReason: null, settled };
}

export const asleepForAYear = (): DeliverAnswer => asleepUntil(Date.now() + YEAR);

export const DELIVERED: DeliverAnswer['settled'] = {
  occurrenceKey: 'birthday:0198f6a2-6c1e-7f5b-9d53-0a4b6c8d7e9f:2026',
  outcome: 'delivered',
  reason: null,
  dueAt: Date.UTC(2026, 4, 20),
  attempts: 1,
  sentBy: 'dispatcher',
};

export const ENDED: DeliverAnswer = {
  ended: true,
  wakeAt: null,
  next: null,
  blockedReason: null,
  settled: null,
};
