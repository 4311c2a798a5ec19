/** Entries of the operator log, on its own page and on the pages of their subjects. */
import { html } from 'hono/html';

import { HOME } from './access.ts';
import type { LogEntry } from './api-types.ts';
import type { Visitor } from './env.ts';
import type { Html } from './layout.ts';
import { table } from './markup.ts';
import { time } from './words.ts';

/** Of `GET /v1/operator-log`. */
export interface LogPage {
  readonly entries: readonly LogEntry[];
  readonly nextCursor: string | null;
}

export function logTable(entries: readonly LogEntry[], caption: string, visitor: Visitor): Html {
  if (entries.length === 0) return html`<p class="muted">Nothing.</p>`;
  return table({
    label: 'Operator log',
    caption,
    columns: ['When (UTC)', 'Who', 'What', 'Of', 'Detail', 'Outcome'],
    rows: entries.map(({ at, actor, via, action, subject, detail, outcome }) => [
      time(at),
      html`${actor ?? 'no key'}
        <span class="muted">by ${via === 'api' ? 'the API' : 'the console'}</span>`,
      ACTIONS[action] ?? action,
      subjectLink(subject, visitor),
      detailWords(detail),
      outcomeWords(outcome),
    ]),
  });
}

/** The API's operations in words; others appear under their name in the API's description. */
const ACTIONS: Readonly<Record<string, string>> = {
  pauseDeliveries: 'Paused deliveries',
  resumeDeliveries: 'Resumed deliveries',
  redeliverOccurrence: 'Sent again',
  redeliverOccurrences: 'Sent again, by a filter',
  retryOccurrence: 'Tried again now',
  setOccasionType: 'Set an occasion type',
  importUsers: 'Imported users',
  testWebhook: 'Sent a test event',
  checkWebhook: 'Checked the receiver',
  createUser: 'Created a user',
  updateUser: 'Changed a user',
  replaceUser: 'Replaced a user',
  deleteUser: 'Deleted a user',
  createOccasion: 'Added an occasion',
  updateOccasion: 'Changed an occasion',
  deleteOccasion: 'Ended an occasion',
};

const USER_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

function subjectLink(subject: string | null, { may }: Visitor): Html | string {
  if (subject === null) return '';
  if (USER_ID.test(subject)) {
    if (!may('users:read')) return subject;
    return html`<a href="${HOME}/people/${subject}">${subject}</a>`;
  }
  if (!subject.includes(':')) return subject;
  return html`<a href="${HOME}/occurrences/${encodeURIComponent(subject)}">${subject}</a>`;
}

/** Every field that is set, as `name: value`. */
function detailWords(detail: LogEntry['detail']): string {
  const said = Object.entries(detail).filter(([, value]) => value !== null && value !== '');
  return said
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? detailOf(value) : value}`)
    .join('; ');
}

function detailOf(value: unknown): string {
  if (Array.isArray(value)) return value.length > 3 ? `${value.length} of them` : value.join(', ');
  const parts = Object.entries(value ?? {}).filter(([, part]) => part !== null);
  return parts.map(([name, part]) => `${name} ${detailPart(part)}`).join(', ');
}

function detailPart(part: unknown): string {
  if (Array.isArray(part)) return detailOf(part);
  return typeof part === 'object' ? JSON.stringify(part) : String(part);
}

function outcomeWords(outcome: number | null): Html {
  if (outcome === null) return html`<span class="state warn">not known</span>`;
  if (outcome < 400) return html`<span class="state good">done</span>`;
  return html`<span class="state bad">refused (${outcome})</span>`;
}
