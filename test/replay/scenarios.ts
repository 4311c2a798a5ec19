/**
 * The paths that a workflow can take, each played once on a real server with answers made
 * up in advance. See record.ts.
 */
import type { DeliveryResult, PlanResult } from '../../src/workflows/messages.ts';

export interface Scenario {
  /** What planning answers, in turn; the last answer is repeated. */
  readonly plans: readonly (Plan | 'fails')[];
  /** What arming does, in turn: stays open, fails for now, or answers at once. */
  readonly deliveries?: readonly ('open' | 'fails' | DeliveryResult['outcome'])[];
  /** The run that is recorded, counted from 1; the first by default. */
  readonly run?: number;
  /** Brings the workflow to where its history is recorded. */
  play(stage: Stage): Promise<void>;
}

/** An answer of planning, at `now` (epoch ms). */
export type Plan = (userId: string, now: number) => PlanResult;

/** What a scenario can do to its workflow. */
export interface Stage {
  userChanged(revision: number): Promise<void>;
  userDeleted(revision: number): Promise<void>;
  replan(): Promise<void>;
  /** Completes the delivery that was opened first, or the nth, once it is open. */
  complete(outcome: DeliveryResult['outcome'], nth?: number): Promise<void>;
  /** Ends the first as it never should. */
  breakDelivery(): Promise<void>;
  /** Resolves when the recorded run has so many events of a type, such as `TimerStarted`. */
  until(type: string, count?: number): Promise<void>;
}

const DAY = 86_400_000;

const planned =
  (fireInMs: number, armInMs: number, recheckInMs: number | null): Plan =>
  (userId, now) => ({
    kind: 'planned',
    occurrenceKey: `birthday:${userId}:2027`,
    timezone: 'Asia/Tokyo',
    tzVersion: '2026c',
    fireAt: now + fireInMs,
    armAt: now + armInMs,
    recheckAt: recheckInMs === null ? null : now + recheckInMs,
  });
const inMonths = planned(100 * DAY, 100 * DAY - 60_000, 98 * DAY);
const soonChecked = planned(100 * DAY, 100 * DAY - 60_000, 1_000);
const inTwoDays = planned(2 * DAY, 2 * DAY - 60_000, null);
const soonArmed = planned(2_000, 1_000, null);
const dueNow = planned(0, 0, null);
const sending: Plan = (userId) => ({ kind: 'sending', occurrenceKey: `birthday:${userId}:2027` });
const blocked: Plan = () => ({ kind: 'blocked', reason: 'unknown zone Mars/Olympus_Mons' });
const ended: Plan = () => ({ kind: 'ended' });

const deletedArmed: Scenario = {
  plans: [dueNow, ended],
  deliveries: ['open'],
  async play(stage) {
    await stage.until('ActivityTaskScheduled');
    await stage.userDeleted(2);
    await stage.until('WorkflowExecutionCompleted');
  },
};
const deletedAndTold: Scenario = {
  ...deletedArmed,
  async play(stage) {
    await stage.until('ActivityTaskScheduled');
    await stage.userDeleted(2);
    await stage.until('MarkerRecorded', 3);
    await stage.complete('skipped');
    await stage.until('WorkflowExecutionCompleted');
  },
};

export const scenarios: Readonly<Record<string, Scenario>> = {
  asleep: {
    plans: [inMonths],
    play: (stage) => stage.until('TimerStarted'),
  },
  rechecked: {
    plans: [soonChecked, inTwoDays],
    play: (stage) => stage.until('TimerStarted', 2),
  },
  armed: {
    plans: [soonChecked, soonArmed],
    deliveries: ['open'],
    play: (stage) => stage.until('ActivityTaskScheduled'),
  },
  delivered: {
    plans: [soonChecked, soonArmed, inMonths],
    deliveries: ['open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.complete('delivered');
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  'continued-as-new': {
    plans: [dueNow, inMonths],
    deliveries: ['delivered'],
    run: 2,
    async play(stage) {
      await stage.until('TimerStarted');
      // The first is known from the run before; only the second plans anew.
      await stage.userChanged(1);
      await stage.userChanged(2);
      await stage.until('TimerStarted', 2);
    },
  },
  'changed-asleep': {
    plans: [inMonths],
    async play(stage) {
      await stage.until('TimerStarted');
      await stage.userChanged(2);
      await stage.until('TimerStarted', 2);
    },
  },
  'deleted-asleep': {
    plans: [inMonths, ended],
    async play(stage) {
      await stage.until('TimerStarted');
      await stage.userDeleted(2);
      await stage.until('WorkflowExecutionCompleted');
    },
  },
  blocked: {
    plans: [blocked, inMonths],
    async play(stage) {
      await stage.until('TimerStarted');
      await stage.userChanged(2);
      await stage.until('TimerStarted', 2);
    },
  },
  'taken-back': {
    plans: [dueNow, inMonths],
    deliveries: ['open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.userChanged(2);
      await stage.until('TimerStarted');
      await stage.complete('released');
      await stage.until('ActivityTaskCompleted');
    },
  },
  'taken-back-and-armed-again': {
    plans: [dueNow, dueNow, inMonths],
    deliveries: ['open', 'open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.userChanged(2);
      await stage.complete('delivered', 2);
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  'armed-again-and-the-first-let-go': {
    plans: [dueNow, dueNow, inMonths],
    deliveries: ['open', 'open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.userChanged(2);
      await stage.until('ActivityTaskScheduled', 2);
      await stage.complete('released');
      await stage.until('ActivityTaskCompleted');
      await stage.complete('delivered', 2);
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  // Before it awaited the last report: the history stays, and is not recorded anew.
  'deleted-armed': deletedArmed,
  // Before that had a limit: the same.
  'deleted-armed-and-told': deletedAndTold,
  'deleted-armed-and-told-in-time': deletedAndTold,
  // As when a worker was killed between taking the activity and arming: nobody will tell.
  'deleted-armed-and-given-up': deletedArmed,
  'changed-on-the-wire': {
    plans: [dueNow, sending, inMonths],
    deliveries: ['open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.userChanged(2);
      await stage.until('TimerStarted');
      await stage.complete('delivered');
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  'changed-on-the-wire-and-taken-back': {
    plans: [dueNow, sending, inMonths],
    deliveries: ['open'],
    async play(stage) {
      await stage.until('ActivityTaskScheduled');
      await stage.userChanged(2);
      await stage.until('TimerFired');
      await stage.until('TimerStarted', 2);
    },
  },
  'after-retry': {
    plans: [dueNow, inMonths],
    deliveries: ['fails', 'fails', 'open'],
    async play(stage) {
      await stage.complete('delivered');
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  released: {
    plans: [dueNow, dueNow, dueNow, inMonths],
    deliveries: ['released', 'released', 'delivered'],
    async play(stage) {
      // The second time within a minute it pauses.
      await stage.until('TimerStarted');
      await stage.replan();
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
  'without-an-outcome': {
    plans: [dueNow, inMonths],
    deliveries: ['open'],
    async play(stage) {
      await stage.breakDelivery();
      await stage.until('TimerStarted');
      await stage.replan();
      await stage.until('TimerStarted', 2);
    },
  },
  'sent-for-an-earlier-run': {
    plans: [sending, inMonths],
    async play(stage) {
      await stage.until('TimerFired');
      await stage.until('TimerStarted', 2);
    },
  },
  'database-away': {
    plans: ['fails', 'fails', 'fails', 'fails', inMonths],
    async play(stage) {
      await stage.until('ActivityTaskCompleted');
      await stage.until('TimerStarted');
    },
  },
  'edited-daily': {
    plans: [inMonths],
    async play(stage) {
      for (let edits = 1; edits <= 71; edits++) {
        await stage.until('TimerStarted', edits);
        await stage.userChanged(1 + edits);
      }
      await stage.until('WorkflowExecutionContinuedAsNew');
    },
  },
};
