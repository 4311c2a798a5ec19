/**
 * The paths that the occasion workflow can take, each played once on a real server with answers
 * made up in advance. See record.ts.
 */
import { ApplicationFailure } from '@temporalio/common';

import {
  asleepForAYear,
  asleepUntil,
  DELIVERED,
  ENDED,
  type Play,
} from '../support/deliver-answers.ts';

export interface Scenario {
  /** What deliver does, by the number of its call. */
  readonly deliver: Play;
  /** Brings the workflow to the point where its history is recorded: that of its first run. */
  play(stage: Stage): Promise<void>;
  /** How long its start is delayed, in ms; not at all by default. */
  readonly delayMs?: number;
}

/** What a scenario can do to its workflow. */
export interface Stage {
  signal(): Promise<void>;
  cancel(): Promise<void>;
  lookAgain(): Promise<void>;
  /** Resolves when the first run has this many events of a type, such as `TIMER_STARTED`. */
  until(type: string, count?: number): Promise<void>;
}

const later: Play = () => {
  throw ApplicationFailure.create({ message: '503', nextRetryDelay: '1 hour' });
};
const blocked: Play = () => ({
  ...asleepForAYear(),
  next: null,
  blockedReason: 'unknown zone Mars/Olympus_Mons',
});
const broken: Play = () => {
  throw ApplicationFailure.nonRetryable('by hand');
};
/** Each call uses one of these; the last is repeated. */
const inTurn =
  (...plays: readonly Play[]): Play =>
  (call) =>
    (plays[Math.min(call, plays.length) - 1] ?? asleepForAYear)(call);
const settled: Play = () => asleepUntil(Date.now(), DELIVERED);
const ended: Play = () => ENDED;

export const scenarios: Readonly<Record<string, Scenario>> = {
  asleep: { deliver: asleepForAYear, play: (stage) => stage.until('TIMER_STARTED') },
  settled: {
    deliver: inTurn(() => asleepUntil(Date.now() + 1_000), settled, asleepForAYear),
    play: (stage) => stage.until('TIMER_STARTED', 3),
  },
  'start-delay-cut-short': {
    deliver: asleepForAYear,
    delayMs: 86_400_000,
    async play(stage) {
      await stage.lookAgain();
      await stage.until('TIMER_STARTED');
    },
  },
  'changed-asleep': {
    deliver: asleepForAYear,
    async play(stage) {
      await stage.until('TIMER_STARTED');
      await stage.signal();
      await stage.until('TIMER_STARTED', 3);
    },
  },
  'changed-while-not-settled': {
    deliver: inTurn(later, asleepForAYear),
    async play(stage) {
      await stage.until('ACTIVITY_TASK_SCHEDULED');
      await stage.signal();
      await stage.until('TIMER_STARTED', 2);
    },
  },
  cancelled: {
    deliver: asleepForAYear,
    async play(stage) {
      await stage.until('TIMER_STARTED');
      await stage.cancel();
      await stage.until('TIMER_STARTED', 3);
    },
  },
  blocked: { deliver: blocked, play: (stage) => stage.until('TIMER_STARTED') },
  'deliver-failed': {
    deliver: inTurn(broken, asleepForAYear),
    play: (stage) => stage.until('TIMER_STARTED', 2),
  },
  ended: {
    deliver: inTurn(asleepForAYear, ended),
    async play(stage) {
      await stage.until('TIMER_STARTED');
      await stage.signal();
      await stage.cancel();
      await stage.until('WORKFLOW_EXECUTION_COMPLETED');
    },
  },
  'continued-as-new': {
    deliver: inTurn(settled, settled, settled, settled, asleepForAYear),
    play: (stage) => stage.until('WORKFLOW_EXECUTION_CONTINUED_AS_NEW'),
  },
  'signalled-often': {
    deliver: asleepForAYear,
    async play(stage) {
      await stage.until('TIMER_STARTED');
      for (let times = 0; times < 60; times += 1) await stage.signal();
      await stage.until('WORKFLOW_EXECUTION_CONTINUED_AS_NEW');
    },
  },
};
