import { BIRTHDAY, type EventType } from '../domain/event-type.ts';
import { MessageRefusedError, SchedulerAwayError, type Scheduler } from '../events/scheduling.ts';
import {
  EventRefusedError,
  type Subscriber,
  SubscriberAwayError,
  type UserEvent,
} from '../users/events.ts';
import { SCHEDULING } from '../users/outbox.ts';
import { FACT_FIELDS } from '../users/ports.ts';

export interface SchedulingOptions {
  readonly name?: string;
  /** Every event type that follows all users; birthdays, when not given. */
  readonly eventTypes?: readonly EventType[];
  readonly maxPerSecond?: number;
}

/**
 * Has users' events planned. A change of names or external id needs no message: those
 * are read at the moment of sending.
 */
export function createSchedulingSubscriber(
  scheduler: Scheduler,
  { name = SCHEDULING, eventTypes = [BIRTHDAY], maxPerSecond }: SchedulingOptions = {},
): Subscriber {
  return {
    name,
    ...(maxPerSecond !== undefined && { maxPerSecond }),
    wants: (event) => messageFor(event, scheduler) !== null,
    async handle(event) {
      const tell = messageFor(event, scheduler);
      const { userId, revision, traceparent, occurredAt: at } = event;
      const trace = traceparent === undefined ? null : { traceparent, at };
      const message = { userId, revision, ...(trace !== null && { trace }) };
      await Promise.all(eventTypes.map((type) => tell?.(type, message))).catch(throwForRelay);
    },
  };
}

function messageFor(event: UserEvent, scheduler: Scheduler): Scheduler['userChanged'] | null {
  switch (event.type) {
    case 'UserCreated':
      return scheduler.userChanged;
    case 'UserUpdated':
      return changesFacts(event.changed) ? scheduler.userChanged : null;
    case 'UserDeleted':
      return scheduler.userDeleted;
  }
}

function changesFacts(changed: readonly string[]): boolean {
  return FACT_FIELDS.some((field) => changed.includes(field));
}

function throwForRelay(error: unknown): never {
  if (error instanceof SchedulerAwayError) {
    throw new SubscriberAwayError(error.message, { cause: error });
  }
  if (error instanceof MessageRefusedError) {
    throw new EventRefusedError(error.message, { cause: error });
  }
  throw error;
}
