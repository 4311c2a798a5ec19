/**
 * What recurs for a user. `birthday` is the first; the ledger, the keys and the
 * workflow ids all carry the type, so that another is added and none is changed.
 */
export type EventType = string;

export const BIRTHDAY: EventType = 'birthday';
