/** Sending failures again: what would be sent, the button, and the progress. */
import { randomUUID } from 'node:crypto';

import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { path } from '../api-client.ts';
import type { OccurrenceRecord, RedeliveryProgress } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps } from '../env.ts';
import { type FailureFilter, filterOf, filterWords, given } from '../failure-filter.ts';
import { csrfField, type Html, sendPage } from '../layout.ts';
import { count, countOf, figures } from '../markup.ts';
import { PageError } from '../page-error.ts';
import { occurrencePath } from '../occurrence-view.ts';
import { reasonWords, state, time } from '../words.ts';

const PATH = `${HOME}/failed`;
/** These were deliberately not sent: they are sent again only if the filter names the reason. */
const NOT_WITH_OTHERS = ['superseded', 'suspended', 'date_changed', 'user_deleted'] as const;

/** The result of a dry run of `POST /v1/occurrences/redeliver`. */
interface Matching {
  readonly matching: number;
  readonly asOf: string;
}

interface Meant {
  /** Selected one by one; if there are any, only the reason of the filter applies. */
  readonly keys: readonly string[];
  readonly filter: FailureFilter;
}

export function registerResend(app: ConsoleApp, { api }: PageDeps): void {
  const redeliver = <Answer>(c: Context<ConsoleEnv>, body: object) =>
    api.send<Answer>(c, 'POST', '/v1/occurrences/redeliver', { body });

  app.get('/failed/resend', async (c) => {
    const keys = c.req.queries('key') ?? [];
    const loadedAt = c.req.query('settledBy');
    // The form of the list was sent without a selection.
    if (loadedAt !== undefined && keys.length === 0) throw NOTHING_SELECTED;
    const meant = { keys, filter: filterOf(c, Date.now()) };
    const wanted = { ...bodyOf(meant), ...(loadedAt !== undefined && { settledBy: loadedAt }) };
    const { matching, asOf } = (await redeliver<Matching>(c, { ...wanted, dryRun: true })).body;
    const settledBy = loadedAt ?? asOf;
    const changed = matching < keys.length ? await findChanged(c, keys, settledBy) : [];
    return sendPage(c, {
      title: 'Send again?',
      body: html`${scopeWords(meant, matching)} ${changedList(changed)}
        <ul>
          <li>
            Each is sent with the same webhook-id, to the user as it is now, behind what is on time,
            and retried as any other. A receiver that has acted on it already recognizes it by the
            id.
          </li>
          <li>
            Counted as of ${time(settledBy)}: what fails after that is not included. The next page
            says how many were sent.
          </li>
        </ul>
        ${
          matching === 0
            ? html`<p><a href="${PATH}">Back</a></p>`
            : html`<form method="post" action="${PATH}/resend" class="row">
                ${csrfField(c.get('visitor'))}
                <input type="hidden" name="redeliveryId" value="${randomUUID()}" />
                <input
                  type="hidden"
                  name="body"
                  value="${JSON.stringify({ ...bodyOf(meant), settledBy })}"
                />
                <button class="primary">Send ${countOf(matching, 'occurrence')} again</button>
                <a class="button" href="${PATH}">Cancel</a>
              </form>`
        }`,
    });
  });

  // A second click has the same id, and finds nothing in the state it had.
  app.post('/failed/resend', async (c) => {
    const { redeliveryId = '', body = '' } = await c.req.parseBody<Record<string, string>>();
    await redeliver(c, { ...bodyOfForm(body), redeliveryId });
    return c.redirect(`${PATH}${path`/resent/${redeliveryId}`}`, 303);
  });

  app.get('/failed/resent/:id', async (c) => {
    const progress = await api.find<RedeliveryProgress>(
      c,
      path`/v1/redeliveries/${c.req.param('id')}`,
    );
    const isOver = progress === null || progress.waiting + progress.sending === 0;
    return sendPage(c, {
      title: 'Sent again',
      ...(isOver ? {} : { liveMs: 2_000 }),
      body:
        progress === null
          ? html`<p>
                There is no progress to show: nothing was left to send, or everything has been sent
                again since.
              </p>
              <p><a href="${PATH}">All failures</a></p>`
          : progressBody(progress, isOver),
    });
  });

  /** The selected rows that have changed since the list was loaded, in their current state. */
  async function findChanged(
    c: Context<ConsoleEnv>,
    keys: readonly string[],
    settledBy: string,
  ): Promise<OccurrenceRecord[]> {
    const found = await Promise.all(
      keys.map((key) => api.find<OccurrenceRecord>(c, path`/v1/occurrences/${key}`)),
    );
    return found.filter((one): one is OccurrenceRecord => {
      if (one === null) return false;
      return one.status !== 'FAILED' || (one.settledAt ?? '') > settledBy;
    });
  }
}

function bodyOf({ keys, filter }: Meant): object {
  if (keys.length === 0) return { status: 'FAILED', ...given(filter) };
  const { reason } = filter;
  return { status: 'FAILED', keys, ...(reason !== '' && { reason }) };
}

/** The body that the previous page put into the form; the API validates it. */
function bodyOfForm(text: string): object {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    throw new PageError(400, 'The form is not one of ours', 'Load the page again and send it.');
  }
}

function scopeWords({ keys, filter }: Meant, matching: number): Html {
  const counted = countOf(matching, 'occurrence');
  if (keys.length > 0) {
    return html`<p>${counted} of the ${count(keys.length)} selected.</p>
      ${matching < keys.length ? leftOut(filter) : ''}`;
  }
  return html`<p>${filterWords(filter)}: <b>${counted}</b>.</p>
    ${leftOut(filter)}`;
}

function leftOut({ reason }: FailureFilter): Html {
  const left = NOT_WITH_OTHERS.map(reasonWords).join('; ');
  return reason === ''
    ? html`<p class="hint">
        Without what was not to be sent (${left}): that is sent again by its own group. And without
        those whose user or occasion is gone.
      </p>`
    : html`<p class="hint">Without those whose user or occasion is gone.</p>`;
}

function changedList(changed: readonly OccurrenceRecord[]): Html {
  if (changed.length === 0) return html``;
  return html`<div class="warning">
    <p>These have changed since the list was loaded, and are left out:</p>
    <ul>
      ${changed.map(
        (one) =>
          html`<li>
            <a href="${occurrencePath(one.key)}">${one.occasionType} of ${one.nominalDate}</a> is
            ${state(one.status)} now, after ${countOf(one.attemptCount, 'attempt')}
          </li>`,
      )}
    </ul>
  </div>`;
}

function progressBody(progress: RedeliveryProgress, isOver: boolean): Html {
  const { redeliveredAt, total, delivered, failed, skipped, waiting, sending } = progress;
  const settled = delivered + failed + skipped;
  return html`<p role="status">
      ${countOf(total, 'occurrence')} sent again from ${time(redeliveredAt)} on:
      ${isOver ? 'all are settled' : `${count(settled)} are settled`}.
    </p>
    <label for="settled">Settled</label>
    <progress id="settled" max="${total}" value="${settled}">${settled} of ${total}</progress>
    ${figures([
      ['Delivered', count(delivered)],
      ['Failed again', count(failed)],
      ['Skipped', count(skipped)],
      ['Waiting', count(waiting)],
      ['Being sent', count(sending)],
    ])}
    <p class="hint">
      Occurrences that were sent again since then are not included. What waits is sent when its turn
      comes, or at its next attempt, unless deliveries are paused.
    </p>
    <p><a href="${PATH}">All failures</a> · <a href="${HOME}/deliveries">Deliveries</a></p>`;
}

const NOTHING_SELECTED = new PageError(
  400,
  'Nothing is selected',
  'Go back and check the boxes of the occurrences to send again.',
);
