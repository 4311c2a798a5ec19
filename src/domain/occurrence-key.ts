import type { EventType } from './event-type.ts';

/**
 * The name of one event of one user in one nominal local year: `birthday:<userId>:<year>`.
 * It carries no instant, zone or run id, because those change while the occurrence
 * stays the same; it is also the `webhook-id` that receivers deduplicate by.
 */
export function occurrenceKey(eventType: EventType, userId: string, year: number): string {
  return `${eventType}:${userId}:${year}`;
}

/** Whether a text has the form of a key; whether there is such an occurrence is the ledger's to say. */
export function isOccurrenceKey(text: string): boolean {
  return KEY.test(text);
}

const KEY = /^[a-z]+:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}:\d{4}$/;

/** The id of the one workflow that follows one event of one user: `birthday/<userId>`. */
export function workflowId(eventType: EventType, userId: string): string {
  return `${eventType}/${userId}`;
}

/** The id of a redelivery's workflow: there is one at a time for an occurrence. */
export function redeliveryWorkflowId(key: string): string {
  return `redelivery/${key}`;
}

/** The id of the workflow that starts a redelivery for each occurrence of a filter. */
export function redeliveryBatchWorkflowId(batchId: string): string {
  return `redelivery-batch/${batchId}`;
}
