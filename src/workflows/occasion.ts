import {
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { Activities } from '../activities/index.ts';
import { changedSignal, statusQuery } from './contract.ts';
import type { DeliverAnswer, EarlierRun, OccasionInput, OccasionStatus } from './contract.ts';

const SECOND = 1_000;
const DELIVER = {
  // The longest WEBHOOK_TIMEOUT_MS, and half a minute for the rest: a worker that died costs this
  // much.
  startToCloseTimeout: 150 * SECOND,
  // For what deliver did not foresee; otherwise deliver itself says when to try again.
  retry: { initialInterval: 5 * SECOND, backoffCoefficient: 1 },
  cancellationType: 'TRY_CANCEL',
} as const;
const NEW: EarlierRun = { answer: null, fruitless: 0, changed: null };

/**
 * Takes care of one occasion of one user while it has occurrences to come: calls deliver, which
 * settles what is due, and sleeps until the next call or until something changes. Its start is
 * delayed until the first call. It never fails.
 */
export async function occasion({ type, id, earlier = NEW }: OccasionInput): Promise<void> {
  let { answer, fruitless, changed } = earlier;
  let status: OccasionStatus = { waitingFor: 'delivery', details: '', answer };
  setHandler(changedSignal, () => void (changed = 'signal'));
  setHandler(statusQuery, () => status);
  // A cancel request means the same: only deliver knows whether the occasion has ended.
  CancellationScope.current().cancelRequested.catch(() => (changed ||= 'cancel'));
  const setStatus = (waitingFor: OccasionStatus['waitingFor'], details: string): void => {
    status = { waitingFor, details, answer };
    setCurrentDetails(details);
  };

  /** Null if the call was abandoned, or an operator ended it, with whatever result. */
  const callDeliver = async (): Promise<DeliverAnswer | null> => {
    const summary = answer?.next ? `Settle ${inWords(answer)}` : 'See what is due';
    setStatus('delivery', summary);
    const call = new CancellationScope();
    const { deliver } = proxyActivities<Activities>({ ...DELIVER, summary });
    let latest: DeliverAnswer | null | undefined;
    void call
      .run(() => deliver({ type, id }))
      .then((result) => (latest = result?.ended === undefined ? null : result))
      .catch(() => (latest = null));
    await condition(() => latest !== undefined || changed !== null);
    // A retry may be hours away. An attempt in progress gets some time; then its lease protects it.
    await waitUntil(Date.now() + gapAfter(fruitless), () => latest !== undefined);
    call.cancel();
    return latest ?? null;
  };

  await CancellationScope.nonCancellable(async () => {
    for (;;) {
      const wasChanged = changed;
      changed = null;
      const latest = await callDeliver();
      const isAhead = (latest?.wakeAt ?? 0) > Date.now();
      const isNews = isAhead && (!wasChanged || latest?.wakeAt !== answer?.wakeAt);
      fruitless = latest?.settled || isNews ? 0 : fruitless + 1;
      answer = latest ?? answer;
      // A signal in the meantime may come from a new date.
      if (latest?.ended && changed !== 'signal') return setStatus('nothing', 'Nothing is to come');
      const notBefore = Date.now() + (latest === null && changed ? 0 : gapAfter(fruitless));
      const callAt = Math.max(latest?.wakeAt ?? 0, notBefore);
      const waitingFor = answer?.blockedReason ? 'change' : 'instant';
      setStatus(waitingFor, `Asleep until ${iso(callAt)}. ${inWords(answer)}`);
      const summary = answer?.next ? `Due ${iso(answer.next.dueAt)}` : inWords(answer);
      await waitUntil(callAt, () => changed !== null || isLong(), summary);
      if (changed) await waitUntil(notBefore, isLong, 'Changed');
      if (!isLong()) continue;
      const backoffStartInterval = Math.max(0, (changed ? notBefore : callAt) - Date.now());
      const continueAsNew = makeContinueAsNewFunc<typeof occasion>({ backoffStartInterval });
      await continueAsNew({ type, id, earlier: { answer, fruitless, changed } });
    }
  });
}

async function waitUntil(instant: number, isOver: () => boolean, summary = ''): Promise<void> {
  const ms = instant - Date.now();
  if (ms > 0 && !isOver()) await condition(isOver, ms, { summary });
}
/** The pause between two calls. */
const gapAfter = (fruitless: number) => Math.min(10 * SECOND * 2 ** fruitless, 3_600 * SECOND);
/** Four or five years, if nothing is postponed. */
const isLong = () => workflowInfo().historyLength >= 50 || workflowInfo().continueAsNewSuggested;
const iso = (instant: number) => new Date(instant).toISOString();
const inWords = (answer: DeliverAnswer | null): string =>
  answer?.blockedReason
    ? `It cannot be planned: ${answer.blockedReason}`
    : answer?.next
      ? `${answer.next.occurrenceKey}, due ${iso(answer.next.dueAt)}`
      : 'Its next occurrence is not planned yet';
