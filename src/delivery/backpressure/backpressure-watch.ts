import type { Ledger } from '../../ledger/ledger.ts';
import type { RecordedAttempt } from '../../ledger/types.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Health } from '../health.ts';
import { backpressureOf, WINDOW, type Answer, type Backpressure } from './backpressure.ts';

export interface BackpressureWatchDeps {
  readonly ledger: Pick<Ledger, 'applyThrottle'>;
  readonly health: Pick<Health, 'failed'>;
  readonly logger: Logger;
  readonly destination: string;
}

/** How often the ledger is updated while the destination accepts requests. */
const APPLY_EVERY_MS = 100;

/**
 * Watches the receiver's responses, and throttles the destination in the ledger accordingly; one
 * for each destination in a process that sends. Two that see the same cause one slow-down: the
 * ledger's row decides.
 */
export function createBackpressureWatch(deps: BackpressureWatchDeps) {
  const { ledger, health, logger, destination } = deps;
  let onSlowed: (() => void) | null = null;
  let answers: Answer[] = [];
  let hasRefusals = false;
  let open = 0;
  let freshFrom = 0;
  /** What was seen since the ledger was last updated. */
  const pending = { backpressure: null as Backpressure | null, served: false, refused: false };
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let applying: Promise<void> | null = null;

  const forget = (): void => {
    answers = [];
    hasRefusals = false;
    freshFrom = performance.now();
  };

  const judge = (answer: Answer): Backpressure | null => {
    answers.push(answer);
    hasRefusals ||= answer.refused;
    // Thousands of accepted requests a second come without a count of all answers each time.
    if (!hasRefusals && answers.length < 2 * WINDOW.answers) return null;
    const oldest = answer.endedAt - WINDOW.ageMs;
    answers = answers.slice(-WINDOW.answers).filter(({ endedAt }) => endedAt >= oldest);
    hasRefusals = answers.some(({ refused }) => refused);
    return hasRefusals ? backpressureOf(answers, open) : null;
  };

  const clearTimer = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };

  const apply = (): void => {
    clearTimer();
    applying ??= applyAll();
  };

  const applySoon = (): void => {
    if (!stopped) timer ??= setTimeout(apply, APPLY_EVERY_MS);
  };

  const applyAll = async (): Promise<void> => {
    do await applyOne();
    while (pending.backpressure !== null);
    applying = null;
    if (pending.served || pending.refused) applySoon();
  };

  const applyOne = async (): Promise<void> => {
    const { served, refused } = pending;
    const asked = pending.backpressure ?? { asks: served && !refused ? 'more' : 'nothing' };
    Object.assign(pending, { backpressure: null, served: false, refused: false });
    try {
      const { changed, slowDown } = await ledger.applyThrottle(asked);
      const slows = asked.asks === 'stop' || asked.asks === 'less';
      if (changed && slows && slowDown !== null) {
        const { until, changedAt, perSecond, stops } = slowDown;
        const stopMs = Math.round(until - changedAt);
        logger.warn(
          { destination, asks: asked.asks, stopMs, perSecond, stops },
          'destination slowed',
        );
      }
      if (changed && slowDown === null) {
        logger.info({ destination }, 'destination no longer slowed');
      }
      if (slows) onSlowed?.();
    } catch (error) {
      // The next responses cause it again, if there is still reason to.
      health.failed(error);
    }
  };

  return {
    /**
     * The listener is called when the receiver asks to slow down, and again once the ledger has it.
     */
    onSlowed(listener: () => void): void {
      onSlowed = listener;
    },
    /** Call this when a request begins; returns the value to pass to `ended`. */
    began(): number {
      open += 1;
      return performance.now();
    },
    ended({ status, slowsDestination, retryAfterMs }: RecordedAttempt, beganAt: number): void {
      open -= 1;
      if (beganAt < freshFrom) return;
      applySoon();
      // Timeouts and 500s count as neither served nor refused: they say nothing about the load.
      if (!slowsDestination && (status === null || status >= 500)) return;
      pending[slowsDestination ? 'refused' : 'served'] = true;
      const endedAt = performance.now();
      const asked = judge({ startedAt: beganAt, endedAt, refused: slowsDestination, retryAfterMs });
      if (asked === null) return;
      forget();
      if (pending.backpressure?.asks !== 'stop') pending.backpressure = asked;
      onSlowed?.();
      apply();
    },
    /**
     * Another process has throttled the destination: responses to earlier requests say nothing new.
     */
    forget,
    /** Resolves when the ledger has what was seen, or cannot be written. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimer();
      await applying;
    },
  };
}
