/** An occurrence with its attempts, and the actions on it. */
import { html } from 'hono/html';

import { HOME } from './access.ts';
import { path } from './api-client.ts';
import type { OccurrenceRecord } from './api-types.ts';
import type { Visitor } from './env.ts';
import { csrfField, type Html } from './layout.ts';
import { duration, table } from './markup.ts';
import { localTime, reasonWords, state, time } from './words.ts';

export const occurrencePath = (key: string): string => `${HOME}${path`/occurrences/${key}`}`;

export interface OccurrenceView {
  readonly visitor: Visitor;
  /** The console page to return to after an action: the person's or the occurrence's own. */
  readonly from: 'person' | 'occurrence';
}

/** One line, which expands. */
export function occurrenceDetails(one: OccurrenceRecord, view: OccurrenceView): Html {
  const { occasionType, nominalDate, status, dueAt } = one;
  return html`<details ${isOpen(one) && one.attemptCount > 0 ? html`open` : ''}>
    <summary>
      ${occasionType} of ${nominalDate}: ${state(status)}
      ${dueAt === null ? 'without an instant' : html`due ${time(dueAt)}`}
    </summary>
    ${occurrenceBody(one, view)}
  </details>`;
}

export function occurrenceBody(one: OccurrenceRecord, view: OccurrenceView): Html {
  return html`<p>${outcomeWords(one)}</p>
    <dl class="facts">
      <dt>Key</dt>
      <dd>
        ${
          view.from === 'person'
            ? html`<a href="${occurrencePath(one.key)}"><code>${one.key}</code></a>`
            : html`<code>${one.key}</code>`
        }
      </dd>
      ${
        one.dueAt === null
          ? html`<dt>Cannot be planned</dt>
              <dd>${one.blockedReason}</dd>`
          : html`<dt>Due</dt>
              <dd>${time(one.dueAt)}: ${one.localDate}, ${one.localTime} in ${one.timezone}</dd>`
      }
      ${
        one.explanation === null
          ? ''
          : html`<dt>Why then</dt>
              <dd>${one.explanation}</dd>`
      }
      ${
        one.redeliveries === 0
          ? ''
          : html`<dt>Sent again on request</dt>
              <dd>${one.redeliveries} times, last ${time(one.redeliveredAt)}</dd>`
      }
    </dl>
    ${attemptsTable(one)} ${view.visitor.may('deliveries:write') ? actions(one, view) : ''}`;
}

const isOpen = ({ status }: Pick<OccurrenceRecord, 'status'>): boolean =>
  status === 'PENDING' || status === 'PROCESSING';

/** Its outcome, or what it waits for, in a sentence. */
function outcomeWords(one: OccurrenceRecord): Html {
  const { status, reason, deliveredAt, latenessMs, nextAttemptAt, attemptCount } = one;
  switch (status) {
    case 'COMPLETED':
      return html`Delivered
      ${time(deliveredAt)}${
        latenessMs !== null && one.late === true ? `, ${duration(latenessMs)} late` : ''
      }.`;
    case 'FAILED':
    case 'SKIPPED':
      return html`${state(status)} ${time(one.settledAt)}: ${reasonWords(reason ?? '')}.`;
    case 'PROCESSING':
      return html`Being sent now.`;
    case 'PENDING':
      if (one.replanning) return html`Its inputs have changed; its new plan is being made.`;
      if (nextAttemptAt === null) return html`It waits for a plan.`;
      return attemptCount === 0
        ? html`Planned: it is sent ${time(nextAttemptAt)}.`
        : html`Waits for the next attempt, ${time(nextAttemptAt)}.`;
  }
}

function attemptsTable({ key, attempts, attemptCount, timezone }: OccurrenceRecord): Html {
  if (attemptCount === 0) return html`<p class="muted">No attempt was made.</p>`;
  const kept = attempts.length;
  const caption =
    kept === attemptCount
      ? 'All attempts'
      : `${kept} of ${attemptCount} attempts: older ones are no longer kept`;
  return table({
    label: `Attempts of ${key}`,
    caption,
    columns: ['Attempt', 'Started', 'By', { number: 'Took' }, 'Answer', 'Outcome', 'Excerpt'],
    rows: attempts.map((attempt) => [
      attempt.number,
      html`${time(attempt.startedAt)}<br />${localTime(attempt.startedAt, timezone)}`,
      attempt.sentBy,
      duration(attempt.durationMs),
      attempt.status === null ? (attempt.errorCode ?? '') : `HTTP ${attempt.status}`,
      attempt.outcome,
      attempt.responseExcerpt === null
        ? html`<span class="muted">none kept</span>`
        : html`<pre>${attempt.responseExcerpt}</pre>`,
    ]),
  });
}

/** Each explains its effect beforehand. The fields are what the page knows of the row. */
function actions(one: OccurrenceRecord, { visitor, from }: OccurrenceView): Html {
  const { key, status, nextAttemptAt, settledAt, attemptCount } = one;
  const hidden = html`${csrfField(visitor)}<input type="hidden" name="from" value="${from}" />`;
  if (status === 'PENDING' && attemptCount > 0 && nextAttemptAt !== null) {
    return html`<form method="post" action="${occurrencePath(key)}/retry">
      ${hidden}<input type="hidden" name="attemptCount" value="${attemptCount}" />
      <p class="hint">
        Makes the next attempt now instead of ${time(nextAttemptAt)}, with the same webhook-id. If
        it fails, it waits again. The time until Daybell gives up is not extended.
      </p>
      <button>Try again now</button>
    </form>`;
  }
  if (status !== 'FAILED' && status !== 'SKIPPED') return html``;
  return html`<form method="post" action="${occurrencePath(key)}/redeliver">
    ${hidden}<input type="hidden" name="settledBy" value="${settledAt}" />
    <p class="hint">
      Sends it again with the same webhook-id, to the user as it is now, however late it is. It is
      retried as any other, for as long as GIVE_UP_AFTER from the first new attempt.
    </p>
    <button>Send again</button>
  </form>`;
}
