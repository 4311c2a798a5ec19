import { setTimeout as delay } from 'node:timers/promises';

import { queryOf } from '../../ledger/sql.ts';
import type { OccasionRef } from '../../ledger/types.ts';
import type { Orm } from '../../platform/database/orm.ts';
import type { Planner } from '../../planning/planner.ts';
import type { PlanOutcome } from '../../planning/write-plans.ts';
import type { DeliverAnswer, SettledOccurrence } from '../../workflows/contract.ts';
import type { CallResult } from '../metrics.ts';
import type { Sendings } from '../sending.ts';
import { type Collect, createCollector } from './collector.ts';
import { NotYetSettledError, notYetSettled, shortWaitMs, unsettledOf } from './not-yet-settled.ts';
import { type AnsweringCall, answerCalls, noteLooks } from './occasion-answer.ts';
import { lookAt, type LookedRow, type OccasionLook, SHORT_WAIT_MS } from './occasion-look.ts';
import { createSendRow } from './send-row.ts';

export interface DeliverDeps {
  /** One for each destination. */
  readonly sendings: Sendings;
  readonly orm: Orm;
  readonly planner: Pick<Planner, 'plan'>;
  readonly onCall: (result: CallResult) => void;
}

export interface DeliverCall {
  /** When the call must have returned, by `performance.now()`. */
  readonly deadline: number;
  /** When Temporal made the call, epoch ms by its clock: a later call supersedes this one. */
  readonly calledAt: number;
}

/**
 * Makes sure that everything due for the occasion is settled, and returns when to call again. It
 * sends what no dispatcher is going to send. Safe to repeat, and to run twice at once.
 *
 * @throws NotYetSettledError while a due occurrence is not settled
 */
export type Deliver = (occasion: OccasionRef, call: DeliverCall) => Promise<DeliverAnswer>;

/** Rounds of one call: each due occurrence takes a few. The next call continues. */
const MAX_ROUNDS = 50;
/** Plans of one call: one for each settled occurrence. */
const MAX_PLANS = 10;
/** Claims of one call that returned without the row. */
const MAX_MISSES = 5;
const ASK_AGAIN_MS = 15_000;
const LOCKED_RETRY_MS = 20;

/** What a call has done so far. */
interface Progress {
  readonly attempted: Set<string>;
  plans: number;
  misses: number;
  settled: SettledOccurrence | null;
}

/** Creates `deliver` for all activities of a worker: their reads and writes are batched. */
export function createDeliver(deps: DeliverDeps): { deliver: Deliver; stop(): Promise<void> } {
  const { sendings, orm, planner, onCall } = deps;
  const { time, health } = sendings[0];
  const query = queryOf(orm);
  const collect: Collect = (ask) =>
    createCollector(async (items) => {
      try {
        const answers = await ask(items);
        health.ok();
        return answers;
      } catch (error) {
        health.failed(error);
        throw error;
      }
    });
  const send = createSendRow(sendings, collect);

  const look = collect(async (occasions: readonly OccasionRef[]) => {
    const { looks } = await time.measure(async () => {
      const looks = await lookAt(query, occasions);
      return { looks, databaseNow: looks[0]?.databaseNow ?? 0 };
    });
    return looks;
  });
  const plan = collect(async (occasions: readonly OccasionRef[]) => {
    const planned = await planner.plan(occasions);
    const outcomeOf = new Map(planned.map((outcome) => [nameOf(outcome), outcome]));
    return occasions.map((occasion) => outcomeOf.get(nameOf(occasion)));
  });
  const answer = collect((calls: readonly AnsweringCall[]) => answerCalls(query, calls));
  const note = collect(async (calls: readonly AnsweringCall[]) => {
    await noteLooks(query, calls);
    return calls;
  });

  async function untilSettled(occasion: OccasionRef, call: DeliverCall): Promise<DeliverAnswer> {
    const progress: Progress = { attempted: new Set(), plans: 0, misses: 0, settled: null };
    for (let round = 0; round < MAX_ROUNDS && performance.now() < call.deadline; round += 1) {
      const seen = await look(occasion);
      progress.settled = seen.settled ?? progress.settled;
      if (seen.isToPlan || (progress.plans === 0 && isStale(seen))) {
        const planned = await planNow(occasion, progress);
        // Neither the users nor the ledger have the occasion.
        if (planned === 'ended' && seen.occasion === null) return ENDED;
        if (planned !== 'deferred') continue;
      }

      const unsettled = unsettledOf(seen, progress.attempted);
      const own = unsettled.filter(({ owner }) => owner === 'workflow');
      if (own.length > 0 && progress.misses < MAX_MISSES) {
        await Promise.all(own.map(({ row }) => sendNow(row, call, progress)));
      } else if (unsettled.length > 0) {
        const waitMs = Math.min(...unsettled.map((one) => shortWaitMs(one, seen.databaseNow)));
        if (waitMs > SHORT_WAIT_MS) throw notYetSettled(seen, unsettled);
        await delay(Math.ceil(Math.max(waitMs, 1)));
      } else {
        // Null when a lease has just ended, or while the occasion is being planned.
        const answered = seen.isToPlan ? null : await answerNow(occasion, call, progress);
        if (answered !== null) return answered;
        await delay(LOCKED_RETRY_MS);
      }
    }
    throw new NotYetSettledError('more is due than one call can settle', 0);
  }

  async function planNow(
    occasion: OccasionRef,
    progress: Progress,
  ): Promise<PlanOutcome['kind'] | undefined> {
    if (progress.plans === MAX_PLANS) {
      throw new NotYetSettledError('it waits for its plan', ASK_AGAIN_MS);
    }
    progress.plans += 1;
    const planned = await plan(occasion);
    if (planned?.kind === 'failed') throw planned.error;
    return planned?.kind;
  }

  async function sendNow(row: LookedRow, call: DeliverCall, progress: Progress): Promise<void> {
    const sent = await send(row, call.deadline);
    if (sent === 'attempted') progress.attempted.add(row.key);
    if (sent === 'not_claimed') progress.misses += 1;
  }

  /** Returns null while the occasion's row is locked. */
  async function answerNow(
    occasion: OccasionRef,
    { deadline, calledAt }: DeliverCall,
    { settled }: Progress,
  ): Promise<DeliverAnswer | null> {
    if (performance.now() > deadline) return null;
    const { kind, ...answered } = await answer({ ...occasion, calledAt });
    if (kind === 'locked') return null;
    if (kind === 'overtaken') {
      throw new NotYetSettledError('a later call has taken the place of this one', 0);
    }
    return { ...answered, settled };
  }

  return {
    async deliver(occasion, call) {
      try {
        const answered = await untilSettled(occasion, call);
        onCall('answered');
        return answered;
      } catch (error) {
        const isExpected = error instanceof NotYetSettledError;
        onCall(isExpected ? 'not_yet_settled' : 'failed');
        // So that the reconciler does not take it for an occasion whose workflow is missing.
        if (isExpected) await note({ ...occasion, calledAt: call.calledAt }).catch(() => {});
        throw error;
      }
    },
    /** Writes what has not been written yet. No call may be in progress. */
    async stop(): Promise<void> {
      for (const sending of sendings) await sending.flush();
    },
  };
}

const ENDED: DeliverAnswer = {
  ended: true,
  wakeAt: null,
  next: null,
  blockedReason: null,
  settled: null,
};

/** It is not planned as it should be, or its plan ended without an occurrence. */
function isStale({ occasion, open, databaseNow }: OccasionLook): boolean {
  if (occasion === null) return true;
  if (occasion.isEnded) return false;
  if (open.length === 0 || occasion.wakeAt === null) return true;
  const isAnyDue = open.some(({ dueAt }) => dueAt !== null && dueAt <= databaseNow);
  return !isAnyDue && occasion.wakeAt <= databaseNow;
}

function nameOf({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}
