import { BIRTHDAY, type EventType } from '../domain/event-type.ts';
import type { Scheduler } from '../events/scheduling.ts';
import { FACT_FIELDS, type UserEvent } from '../users/ports.ts';
import type { Subscriber } from './subscriber.ts';

/** Every event type that follows all users. */
const FOLLOWED: readonly EventType[] = [BIRTHDAY];

/**
 * Has users' events planned. A change of names or external id needs no message: those
 * are read at the moment of sending.
 */
export function createSchedulingSubscriber(scheduler: Scheduler): Subscriber {
  return {
    name: 'scheduling',
    async handle(event) {
      const tell = messageFor(event, scheduler);
      if (tell === null) return;
      const { userId, revision } = event;
      await Promise.all(FOLLOWED.map((eventType) => tell(eventType, { userId, revision })));
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
