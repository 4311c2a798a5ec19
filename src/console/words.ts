/** Instants, states and operators' actions, as pages show them. */
import { html } from 'hono/html';

import type { Html } from './layout.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** In UTC, to the second. */
export function time(iso: string | null): Html {
  if (iso === null) return html`<span class="muted">never</span>`;
  return html`<time datetime="${iso}">${iso.replace(/\.\d+Z$/, 'Z')}</time>`;
}

/**
 * By the clocks of a zone, such as `Thursday 20 May 2027 at 09:00`; empty if Node does not know the
 * zone.
 */
export function localTime(iso: string, timezone: string): string {
  try {
    return new Intl.DateTimeFormat('en-GB', {
      dateStyle: 'full',
      timeStyle: 'short',
      timeZone: timezone,
    }).format(Date.parse(iso));
  } catch {
    return '';
  }
}

/** How a state looks on a page: its word and its colour. */
const LOOKS: Readonly<Record<string, string>> = {
  COMPLETED: 'good',
  FAILED: 'bad',
  SKIPPED: 'warn',
  active: 'good',
  suspended: 'warn',
};

/** The state of an occurrence or of an occasion. */
export function state(word: string): Html {
  return html`<span class="state ${LOOKS[word] ?? ''}">${word}</span>`;
}

/** Why an occurrence FAILED, was SKIPPED or cannot be planned. */
const REASONS = new Map<string, string>(
  Object.entries({
    refused: 'the receiver refused it for good',
    gone: 'the receiver said that it no longer exists (410)',
    gave_up: 'no attempt succeeded until GIVE_UP_AFTER',
    too_late: 'it would have been later than LATE_LIMIT',
    superseded: 'the next occurrence fell due',
    suspended: 'the user or the occasion was suspended',
    date_changed: 'the date was changed',
    user_deleted: 'the user was deleted',
    occasion_deleted: 'the occasion was deleted',
  }),
);

/** The reason may come from an address, and be unknown. */
export function reasonWords(reason: string): string {
  return REASONS.get(reason) ?? reason;
}

/** The result of the last attempt. */
export function answerWords(answer: string): string {
  if (answer === 'none') return 'no attempt is kept';
  return /^\d/.test(answer) ? `HTTP ${answer}` : answer;
}
