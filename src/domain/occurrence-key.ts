import type { EventType } from './event-type.ts';

/**
 * The name of one event of one user in one nominal local year: `birthday:<userId>:<year>`.
 * It carries no instant, zone or run id, because those change while the occurrence
 * stays the same; it is also the `webhook-id` that receivers deduplicate by.
 */
export function occurrenceKey(eventType: EventType, userId: string, year: number): string {
  return `${eventType}:${userId}:${year}`;
}

/** The id of the one workflow that follows one event of one user: `birthday/<userId>`. */
export function workflowId(eventType: EventType, userId: string): string {
  return `${eventType}/${userId}`;
}
