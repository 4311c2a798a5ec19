import type { UserEvent } from '../users/ports.ts';

/** Someone who is told what happens to users: at least once, of one user in order of revision. */
export interface Subscriber {
  readonly name: string;
  /**
   * Takes an event, again if need be. Rejects with `SchedulerAwayError` when nothing can be
   * taken now, with `MessageRefusedError` when this event never will be.
   */
  handle(event: UserEvent): Promise<void>;
}
