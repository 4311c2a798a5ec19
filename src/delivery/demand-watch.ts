import { slowDownDemand, WINDOW, type Answer, type Demand } from '../domain/destination-demand.ts';
import type { DeliveryLedger, RecordedAttempt } from '../events/ports.ts';
import type { Logger } from '../observability/logger.ts';
import type { Health } from './health.ts';

export interface DemandWatchDeps {
  readonly ledger: Pick<DeliveryLedger, 'heed'>;
  readonly health: Health;
  readonly logger: Logger;
  /** Nothing claimed before is to be sent now. Called when it is heard, and when all dispatchers know. */
  readonly onSlowed: () => void;
}

/** Listens to the destination, and has the ledger heed what it asks for. */
export interface DemandWatch {
  /** A request begins; gives what to end it with. */
  began(): number;
  ended(attempt: RecordedAttempt, beganAt: number): void;
  /** Somebody has slowed the destination: answers to what began before say nothing new. */
  forget(): void;
  /** Resolves when all that was heard has been heeded, as far as that is possible. */
  stop(): Promise<void>;
}

/** How often the ledger is told of a destination that serves. */
const TELL_EVERY_MS = 100;

interface Untold {
  demand: Demand | null;
  served: boolean;
  refused: boolean;
}

/** One for each dispatcher. Two that hear the same are one slow-down: the ledger's row decides. */
export function createDemandWatch({
  ledger,
  health,
  logger,
  onSlowed,
}: DemandWatchDeps): DemandWatch {
  let answers: Answer[] = [];
  let hasRefusals = false;
  let open = 0;
  let freshFrom = 0;
  /** What was heard since the ledger was last told. */
  const untold: Untold = { demand: null, served: false, refused: false };
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let telling: Promise<void> | null = null;

  const forget = (): void => {
    answers = [];
    hasRefusals = false;
    freshFrom = performance.now();
  };

  const hear = (answer: Answer): Demand | null => {
    answers.push(answer);
    hasRefusals ||= answer.refused;
    // Thousands a second are served without being counted through each time.
    if (!hasRefusals && answers.length < 2 * WINDOW.answers) return null;
    const oldest = answer.endedAt - WINDOW.ageMs;
    answers = answers.slice(-WINDOW.answers).filter(({ endedAt }) => endedAt >= oldest);
    hasRefusals = answers.some(({ refused }) => refused);
    return hasRefusals ? slowDownDemand(answers, open) : null;
  };

  const tell = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    telling ??= tellAll();
  };

  const tellSoon = (): void => {
    if (!stopped) timer ??= setTimeout(tell, TELL_EVERY_MS);
  };

  const tellAll = async (): Promise<void> => {
    do await tellOne();
    while (untold.demand !== null);
    telling = null;
    if (untold.served || untold.refused) tellSoon();
  };

  const tellOne = async (): Promise<void> => {
    const { served, refused } = untold;
    const demand = untold.demand ?? { asks: served && !refused ? 'more' : 'nothing' };
    Object.assign(untold, { demand: null, served: false, refused: false });
    try {
      const { changed, slowDown } = await ledger.heed(demand);
      const slows = demand.asks === 'stop' || demand.asks === 'less';
      if (changed && slows && slowDown !== null) {
        const { until, changedAt, perSecond, stops } = slowDown;
        const stopMs = Math.round(until - changedAt);
        logger.warn({ asks: demand.asks, stopMs, perSecond, stops }, 'destination slowed');
      }
      if (changed && slowDown === null) logger.info('destination no longer slowed');
      if (slows) onSlowed();
    } catch (error) {
      // It is asked for again, as long as there is reason to.
      health.failed(error);
    }
  };

  return {
    began() {
      open += 1;
      return performance.now();
    },
    ended({ status, slowsDestination, retryAfterMs }, beganAt) {
      open -= 1;
      if (beganAt < freshFrom) return;
      tellSoon();
      // Neither served nor refused: timeouts and 500s are retried, and say nothing of its load.
      if (!slowsDestination && (status === null || status >= 500)) return;
      untold[slowsDestination ? 'refused' : 'served'] = true;
      const endedAt = performance.now();
      const demand = hear({ startedAt: beganAt, endedAt, refused: slowsDestination, retryAfterMs });
      if (demand === null) return;
      forget();
      if (untold.demand?.asks !== 'stop') untold.demand = demand;
      onSlowed();
      tell();
    },
    forget,
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      await telling;
    },
  };
}
