/**
 * How long a row is leased beyond the time that one request can take. Short, because so long wait
 * the rows of a process that died.
 */
export const LEASE_MARGIN_MS = 10_000;

/** Within this a claimed row is sent or returned; the rest of the margin is for writing the outcome. */
export const START_WITHIN_MS = 8_000;
