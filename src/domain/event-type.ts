/**
 * What recurs for a user. `birthday` is the first; the ledger, the keys and the
 * workflow ids all carry the type, so that another is added and none is changed.
 */
export type EventType = string;

export const BIRTHDAY: EventType = 'birthday';

/** Whether a text can be an event type: it is part of occurrence keys. */
export function isEventTypeName(text: string): boolean {
  return /^[a-z]{1,40}$/.test(text);
}
