import type { OccasionRef } from './types.ts';

/** The occasion that every user has: the date of birth implies it, and its id is the user's. */
export const BIRTHDAY = 'birthday';

/** Types are part of keys and workflow ids: lower-case letters, digits and hyphens. */
const TYPE = '[a-z][a-z0-9-]{0,39}';
const UUID = String.raw`[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}`;
const KEY = new RegExp(
  String.raw`^(?:${BIRTHDAY}:${UUID}:\d{4}|(?!${BIRTHDAY}:)${TYPE}:${UUID}:\d{4}(?:-\d{2}-\d{2})?)$`,
);
const WORKFLOW_ID = new RegExp(`^(${TYPE})/(${UUID})$`);
const WHOLE_TYPE = new RegExp(`^${TYPE}$`);

/**
 * The name of one occurrence: `<type>:<occasionId>:2027-05-20`, and for what recurs yearly
 * `birthday:<userId>:2027`, so that a corrected date is sent once a year. It holds no instant, zone
 * or run id, because those change while the occurrence stays the same. Receivers deduplicate by it:
 * it is the `webhook-id`.
 *
 * @param nominalDate `YYYY-MM-DD`, the day that the rule names
 */
export function occurrenceKey(
  { type, id }: OccasionRef,
  nominalDate: string,
  recurrence: string,
): string {
  return `${type}:${id}:${isKeyedByYear(recurrence) ? nominalDate.slice(0, 4) : nominalDate}`;
}

/**
 * Whether keys of a recurrence contain the year only. Those of an rrule never do, however it
 * recurs.
 */
export function isKeyedByYear(recurrence: string): boolean {
  return recurrence === 'birthday' || recurrence === 'yearly';
}

/** The first nominal date that can have the same key. */
export function firstDateOfKey(key: string, nominalDate: string): string {
  const year = nominalDate.slice(0, 4);
  return key.endsWith(`:${year}`) ? `${year}-01-01` : nominalDate;
}

/** Whether a text has the form of a key; only the ledger knows whether the occurrence exists. */
export function isOccurrenceKey(text: string): boolean {
  return KEY.test(text);
}

export function isOccasionType(text: string): boolean {
  return WHOLE_TYPE.test(text);
}

/** The id of an occasion's only workflow: `birthday/<userId>`, `<type>/<occasionId>`. */
export function workflowId({ type, id }: OccasionRef): string {
  return `${type}/${id}`;
}

/** The occasion of a workflow; null for the id of another workflow. */
export function occasionOfWorkflowId(workflow: string): OccasionRef | null {
  const [, type, id] = WORKFLOW_ID.exec(workflow) ?? [];
  return type === undefined || id === undefined ? null : { type, id };
}
