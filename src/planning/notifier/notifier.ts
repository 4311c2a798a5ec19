import { setTimeout as sleep } from 'node:timers/promises';

import pLimit from 'p-limit';

import { workflowId } from '../../ledger/occurrence-key.ts';
import type { Redelivered, RedeliveredOccurrence } from '../../ledger/redelivered.ts';
import type { OwnedOccasion } from '../../ledger/types.ts';
import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { createLoop, type Loop } from '../../platform/loop.ts';
import { TemporalAwayError } from '../../platform/temporal/errors.ts';
import type { OccasionWorkflows } from '../../workflows/occasion-client.ts';
import type { NotifierObserver } from '../metrics.ts';
import { LEFT_TO_DISPATCHERS_MS } from '../pace/dispatchers-first.ts';
import { type Answering, createNotifyPace } from './notify-pace.ts';
import type { Noted, NotifyResult, NotifyStore, TakenOccasion } from './notify-store.ts';

interface NotifierDeps {
  readonly store: NotifyStore;
  readonly redelivered: Redelivered;
  readonly workflows: OccasionWorkflows;
  /** Whether to wait now, while dispatchers send a herd. */
  readonly isLeftToDispatchers: () => Promise<boolean>;
  /** Whether the API answers requests slowly. */
  readonly areRequestsSlow: () => Promise<boolean>;
  readonly logger: Logger;
  readonly observer?: NotifierObserver;
}

const IDLE_MS = 500;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const MOST_TAKEN = 200;
/** Well before the leases of taken occasions end; a round takes about a second. */
const ROUND_LIMIT_MS = 15_000;
const CALLS_AT_ONCE = 32;

/**
 * Notifies Temporal of what the ledger knows: when the workflow of each occasion should wake, that
 * an occasion has ended, and, if no dispatcher is alive, that something is to be sent again. While
 * dispatchers send a herd it waits: no webhook depends on it then. While the API answers requests
 * slowly, it slows down.
 * Notifications may be repeated, late and out of order: a workflow that gets one checks for itself.
 */
export function createNotifier(deps: NotifierDeps): Loop {
  const { store, redelivered, workflows, isLeftToDispatchers, areRequestsSlow, logger, observer } =
    deps;
  const pace = createNotifyPace();
  const limitCalls = pLimit(CALLS_AT_ONCE);
  let nextCallAt = 0;

  async function round(failures: number): Promise<number> {
    if (await isLeftToDispatchers()) return LEFT_TO_DISPATCHERS_MS;
    if (await areRequestsSlow()) pace.requestsAreSlow();
    // While Temporal is down, one call is enough to see that it is back.
    const limit = failures > 0 ? 1 : Math.min(Math.ceil(pace.perSecond()), MOST_TAKEN);
    await timed('database', () => store.probe());
    const counts = [
      await notifyEach(() => redelivered.findUnnotified(limit), notifyRedelivery, noteRedelivery),
      await notifyEach(() => store.takeToEnd(Math.ceil(limit / 4)), notifyEnd, store.note),
      await notifyEach(() => store.takeToWake(limit), notifyWake, store.note),
    ];
    observer?.paced(pace.perSecond());
    if (failures > 0) logger.info('workflows are notified again');
    return counts.every((count) => count === 0) ? IDLE_MS : 0;
  }

  function pauseAfter(error: unknown, failures: number): number {
    const level = failures === 1 ? 'warn' : 'debug';
    logger[level]({ error: describeError(error) }, 'workflows cannot be notified now: they wait');
    return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  }

  async function notifyWake(occasion: TakenOccasion, takenAt: number): Promise<NotifyResult> {
    const delayMs = occasion.wakeInMs - (performance.now() - takenAt);
    const isStarted = !occasion.hasWorkflow && (await workflows.start(occasion, delayMs));
    if (!isStarted) await workflows.lookAgain(occasion, delayMs);
    observer?.notified(isStarted ? 'started' : 'woken');
    return 'wake';
  }

  async function notifyEnd(occasion: OwnedOccasion): Promise<NotifyResult> {
    await workflows.end(occasion);
    observer?.notified('ended');
    return 'end';
  }

  async function notifyRedelivery(occasion: RedeliveredOccurrence): Promise<NotifyResult> {
    await workflows.lookAgain(occasion);
    observer?.notified('redelivered');
    return 'wake';
  }

  /** A refusal by Temporal is in the log: it is not tried again and again. */
  const noteRedelivery = (results: readonly Noted<RedeliveredOccurrence>[]) =>
    redelivered.markNotified(results.filter(({ what }) => what !== 'nothing'));

  /**
   * Calls Temporal for each of those taken, at the pace, and records the results; returns how many.
   * Once Temporal is down, it makes no further calls, and rejects.
   */
  async function notifyEach<Taken extends OwnedOccasion>(
    take: () => Promise<readonly Taken[]>,
    notify: (occasion: Taken, takenAt: number) => Promise<NotifyResult>,
    note: (results: readonly Noted<Taken>[]) => Promise<void>,
  ): Promise<number> {
    const takenAt = performance.now();
    const taken = await take();
    const until = performance.now() + ROUND_LIMIT_MS;
    let away: TemporalAwayError | null = null;
    const isOver = () => away !== null || loop.isStopping || performance.now() > until;

    const call = async (occasion: Taken): Promise<NotifyResult> => {
      if (!isOver()) await untilNextCall();
      if (isOver()) return 'nothing';
      try {
        return await timed('temporal', () => notify(occasion, takenAt));
      } catch (error) {
        if (error instanceof TemporalAwayError) {
          away ??= error;
          pace.refused();
          return 'nothing';
        }
        const about = { occasion: workflowId(occasion), error: describeError(error) };
        logger.error(about, 'Temporal refuses to be notified of an occasion');
        observer?.notified('refused');
        return 'refused';
      }
    };
    const results = taken.map((occasion) =>
      limitCalls(async () => ({ ...occasion, what: await call(occasion) })),
    );
    await note(await Promise.all(results));
    if (away !== null) throw away;
    return taken.length;
  }

  async function untilNextCall(): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, nextCallAt);
    nextCallAt = at + 1_000 / pace.perSecond();
    if (at > now) await sleep(at - now);
  }

  async function timed<Result>(by: Answering, work: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    const result = await work();
    pace.answered(by, performance.now() - startedAt);
    return result;
  }

  const loop = createLoop(round, pauseAfter);
  return loop;
}
