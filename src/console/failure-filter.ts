/** Which failures a page is about: as its address, in words, and as parameters of the API. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import type { ConsoleEnv } from './env.ts';
import type { Html } from './layout.ts';
import { PageError } from './page-error.ts';
import { answerWords, DAY_MS, reasonWords, time } from './words.ts';

/** Empty strings mean any. */
export interface FailureFilter {
  readonly from: string;
  readonly to: string;
  readonly destination: string;
  readonly occasionType: string;
  readonly reason: string;
  /** Of the last attempt. */
  readonly answer: string;
}

/** The default first. */
export const WINDOWS_DAYS = [30, 1, 7, 90, 365] as const;
const MOST_DAYS = 3650;

/** @throws PageError for an invalid window */
export function filterOf(c: Context<ConsoleEnv>, now: number): FailureFilter {
  const { from, to, days, destination, occasionType, reason, answer } = c.req.query();
  const window =
    from === undefined || to === undefined ? lastDays(daysOf(days), now) : { from, to };
  return {
    ...window,
    destination: destination ?? '',
    occasionType: (occasionType ?? '').trim(),
    reason: reason ?? '',
    answer: answer ?? '',
  };
}

function daysOf(text = String(WINDOWS_DAYS[0])): number {
  const days = Number(text);
  if (Number.isSafeInteger(days) && days >= 1 && days <= MOST_DAYS) return days;
  const rule = `must be a whole number of days from 1 to ${MOST_DAYS}`;
  throw new PageError(400, 'The window is out of range', '', {
    faults: [{ field: 'days', rule }],
  });
}

function lastDays(days: number, now: number) {
  return {
    from: new Date(now - days * DAY_MS).toISOString(),
    to: new Date(now).toISOString(),
  };
}

/** The fields that are set, for an address or the API. */
export function given(filter: FailureFilter): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));
}

export function filterWords(filter: FailureFilter): Html {
  const { from, to, destination, occasionType, reason, answer } = filter;
  return html`FAILED, due from ${time(from)} to ${time(to)}, ${occasionType || 'of all types'}, to
  ${destination || 'all destinations'}${reason === '' ? '' : `, because ${reasonWords(reason)}`}${
    answer === '' ? '' : `, last answer: ${answerWords(answer)}`
  }`;
}
