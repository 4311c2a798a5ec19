import { setCurrentDetails, setHandler } from '@temporalio/workflow';

import type { EventType } from '../domain/event-type.ts';
import type { TracePoint } from '../domain/trace-point.ts';
import {
  replanSignal,
  statusQuery,
  userChangedSignal,
  userDeletedSignal,
  type PlanResult,
  type RevisionMessage,
  type YearlyEventInput,
  type YearlyEventStatus,
} from './messages.ts';

/** All that a run remembers. */
export interface Follower {
  readonly eventType: EventType;
  readonly userId: string;
  /** The last revision it was told of. */
  revision: number | null;
  /** Of the last message that was part of one; it decides nothing. */
  trace: TracePoint | null;
  /** Something has happened that the plan doesn't know. */
  changed: boolean;
  plan: PlanResult | null;
  /** When a delivery last ended without an outcome, epoch ms. */
  lastUnsettledAt: number;
  waitingFor: YearlyEventStatus['waitingFor'];
  details: string;
}

/** A run's memory, and the handlers that write to it: the first thing that a run does. */
export function listen(eventType: EventType, input: YearlyEventInput): Follower {
  const follower: Follower = {
    eventType,
    userId: input.userId,
    revision: input.revision ?? null,
    trace: input.trace ?? null,
    changed: false,
    plan: null,
    lastUnsettledAt: -Infinity,
    waitingFor: 'plan',
    details: '',
  };
  const hear = (message?: RevisionMessage): void => {
    // The relay may repeat itself: a revision that was seen says nothing new. A signal sent
    // by hand may have none; a handler that throws would stop the workflow, so that plans.
    if (typeof message?.revision === 'number') {
      if (follower.revision !== null && message.revision <= follower.revision) return;
      follower.revision = message.revision;
    }
    follower.trace = message?.trace ?? follower.trace;
    follower.changed = true;
  };
  setHandler(userChangedSignal, hear);
  setHandler(userDeletedSignal, hear);
  setHandler(replanSignal, () => {
    follower.changed = true;
  });
  setHandler(statusQuery, () => statusOf(follower));
  return follower;
}

/** What the run waits for, for the query and the Web UI. */
export function say(
  follower: Follower,
  waitingFor: YearlyEventStatus['waitingFor'],
  details: string,
): void {
  follower.waitingFor = waitingFor;
  follower.details = details;
  setCurrentDetails(details);
}

function statusOf({ plan, waitingFor, details, revision }: Follower): YearlyEventStatus {
  const planned = plan?.kind === 'planned' ? plan : null;
  return {
    waitingFor,
    details,
    revision,
    occurrenceKey: planned?.occurrenceKey ?? (plan?.kind === 'sending' ? plan.occurrenceKey : null),
    fireAt: planned === null ? null : new Date(planned.fireAt).toISOString(),
    timezone: planned?.timezone ?? null,
    blockedReason: plan?.kind === 'blocked' ? plan.reason : null,
  };
}
