import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  patched,
  workflowInfo,
} from '@temporalio/workflow';

import type { EventType } from '../domain/event-type.ts';
import { deliver, planNow } from './calls.ts';
import { listen, say, type Follower } from './follower.ts';
import type { DeliveryResult, PlanResult, YearlyEventInput } from './messages.ts';
import {
  due,
  LAST_REPORT_MS,
  restAfter,
  restAfterFault,
  SENDING_MS,
  UNSETTLED_PAUSE_MS,
  type Planned,
  type Rest,
} from './rest.ts';

/**
 * Follows one event of one user for as long as the user exists: plans, sleeps, checks
 * the plan once more two days before, sleeps, delivers, and begins again for next year.
 * It never fails: what can't be done now is waited for.
 */
export async function yearlyEvent(eventType: EventType, input: YearlyEventInput): Promise<void> {
  const follower = listen(eventType, input);

  let plan = await planAnew(follower);
  while (plan.kind !== 'ended') {
    const rest = restAfter(plan, Date.now());
    await sleepThrough(follower, rest);
    if (historyIsLong()) return beginAgain(follower);
    if (follower.changed || rest.delivers === null) {
      plan = await planAnew(follower);
    } else {
      const replacement = await deliverUnlessReplaced(follower, rest.delivers);
      if (replacement === null) return beginAgain(follower);
      plan = replacement;
    }
  }
  say(follower, 'nothing', 'The user is gone.');
}

async function planAnew(follower: Follower): Promise<PlanResult> {
  const { eventType, userId, trace } = follower;
  follower.changed = false;
  say(follower, 'plan', `Planning the next ${eventType}.`);
  follower.plan = await planNow({ eventType, userId, ...(trace !== null && { trace }) });
  return follower.plan;
}

/** Until the time has come or something has changed. Timers can run a hair early. */
async function sleepThrough(follower: Follower, rest: Rest): Promise<void> {
  say(follower, rest.waitingFor, rest.details);
  const disturbed = () => follower.changed || historyIsLong();
  while (!disturbed() && Date.now() < rest.until) {
    await condition(disturbed, rest.until - Date.now(), { summary: rest.summary });
  }
}

/** Null when the delivery is settled; else the plan that has taken its place. */
async function deliverUnlessReplaced(
  follower: Follower,
  planned: Planned,
): Promise<PlanResult | null> {
  const { occurrenceKey, fireAt } = planned;
  const summary = `${occurrenceKey} is being sent`;
  const open: OpenDelivery = { outcome: null };
  const scope = new CancellationScope();
  void scope
    .run(() => deliver({ occurrenceKey, fireAt }))
    .then((result) => (open.outcome = result.outcome))
    .catch(() => (open.outcome = 'broken'));

  const disturbed = () => open.outcome !== null || follower.changed;
  for (let sending = false; ; sending = true) {
    say(follower, 'delivery', `Awaits the outcome of ${due(planned)}.`);
    // On the wire, a change can't be heeded: its outcome, or else the next gap, decides.
    await (sending ? condition(disturbed, SENDING_MS, { summary }) : condition(disturbed));
    if (open.outcome !== null) break;
    const replacement = await planAnew(follower);
    if (replacement.kind === 'sending') continue;
    if (replacement.kind !== 'ended' || !(await isTold(follower, occurrenceKey, open)))
      scope.cancel();
    return replacement;
  }
  if (open.outcome !== 'released' && open.outcome !== 'broken') return null;
  await pauseIfOften(follower, occurrenceKey, open.outcome);
  return planAnew(follower);
}

interface OpenDelivery {
  outcome: DeliveryResult['outcome'] | 'broken' | null;
}

/**
 * Whether the ledger tells the outcome of what is open, with its user gone. What is open when a
 * workflow ends stays so in the Web UI; but a killed worker may have left it to nobody.
 */
async function isTold(
  follower: Follower,
  occurrenceKey: string,
  open: OpenDelivery,
): Promise<boolean> {
  const isLimited = patched('awaits-the-last-report-for-a-while');
  if (!isLimited && !patched('awaits-the-last-report')) return false;
  say(follower, 'delivery', `The user is gone; ${occurrenceKey} is being let go.`);
  const isOver = () => open.outcome !== null;
  if (!isLimited) {
    await condition(isOver);
    return true;
  }
  const summary = `The last report of ${occurrenceKey}`;
  return condition(isOver, LAST_REPORT_MS, { summary });
}

/**
 * A delivery that ends without an outcome is planned again at once, since a change was
 * its cause; a second within a minute is a fault somewhere, and must not spin.
 */
async function pauseIfOften(
  follower: Follower,
  occurrenceKey: string,
  outcome: 'released' | 'broken',
): Promise<void> {
  const often = Date.now() - follower.lastUnsettledAt < UNSETTLED_PAUSE_MS;
  follower.lastUnsettledAt = Date.now();
  if (outcome === 'released' && !often) return;
  log.warn('a delivery ended without an outcome: planning again in a minute', { occurrenceKey });
  await sleepThrough(follower, restAfterFault(occurrenceKey, Date.now()));
}

/** A run of its own for what follows: histories stay short. Later signals go to the new run. */
async function beginAgain(follower: Follower): Promise<void> {
  await condition(allHandlersFinished);
  const { userId, revision, trace } = follower;
  await continueAsNew<(input: YearlyEventInput) => Promise<void>>({
    userId,
    ...(revision !== null && { revision }),
    ...(trace !== null && { trace }),
  });
}

/** A user who is edited daily: about 70 changes. The server's own advice counts too. */
function historyIsLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return historyLength >= 500 || continueAsNewSuggested;
}
