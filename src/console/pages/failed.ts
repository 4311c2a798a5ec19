/** Dead letters: in groups, and one by one. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { Failures, OccurrenceSummary } from '../api-types.ts';
import type { ConsoleApp, PageDeps, Visitor } from '../env.ts';
import {
  type FailureFilter,
  filterOf,
  filterWords,
  given,
  WINDOWS_DAYS,
} from '../failure-filter.ts';
import { type Html, sendPage } from '../layout.ts';
import { count, countOf, nextPage, table } from '../markup.ts';
import { occurrencePath } from '../occurrence-view.ts';
import { answerWords, reasonWords, time } from '../words.ts';

const PATH = `${HOME}/failed`;

interface ListedOccurrence extends OccurrenceSummary {
  readonly user?: {
    readonly externalId: string | null;
    readonly firstName: string;
    readonly lastName: string;
  } | null;
}

interface OccurrencePage {
  readonly occurrences: readonly ListedOccurrence[];
  readonly nextCursor: string | null;
}

export function registerFailed(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/failed', async (c) => {
    const filter = filterOf(c, Date.now());
    const scope = { ...filter, reason: '', answer: '' };
    const [failures, { destinations }] = await Promise.all([
      api.get<Failures>(c, '/v1/occurrences/failures', scope),
      api.get<{ destinations: { destination: string }[] }>(c, '/v1/deliveries'),
    ]);
    const names = destinations.map(({ destination }) => destination);
    return sendPage(c, {
      title: 'Failed',
      body: html`${scopeForm(filter, c.req.query('days') ?? '', names)}
      ${groupsTable(scope, failures, c.get('visitor'))}`,
    });
  });

  app.get('/failed/list', async (c) => {
    const filter = filterOf(c, Date.now());
    const visitor = c.get('visitor');
    const scope = { ...filter, reason: '', answer: '' };
    const include = visitor.may('users:read') ? 'user' : '';
    const cursor = c.req.query('cursor');
    const query = { ...filter, status: 'FAILED', include, cursor };
    const page = await api.get<OccurrencePage>(c, '/v1/occurrences', query);
    return sendPage(c, {
      title: 'Failed, one by one',
      body: html`<p>${filterWords(filter)}</p>
        ${listForm(page, filter, visitor)}
        ${nextPage(`${PATH}/list`, given(filter), page.nextCursor)}
        <p>
          <a href="${addressOf('', scope)}">All groups</a>
        </p>`,
    });
  });
}

function scopeForm(filter: FailureFilter, days: string, destinations: readonly string[]): Html {
  const chosen = days === '' ? String(WINDOWS_DAYS[0]) : days;
  return html`<form method="get" action="${PATH}" class="row">
    <div>
      <label for="days">Due within the last</label>
      <select id="days" name="days">
        ${WINDOWS_DAYS.toSorted((a, b) => a - b).map(
          (one) =>
            html`<option value="${one}" ${String(one) === chosen ? html`selected` : ''}>
              ${countOf(one, 'day')}
            </option>`,
        )}
      </select>
    </div>
    <div>
      <label for="destination">Destination</label>
      <select id="destination" name="destination">
        <option value="">all</option>
        ${destinations.map(
          (one) =>
            html`<option value="${one}" ${one === filter.destination ? html`selected` : ''}>
              ${one}
            </option>`,
        )}
      </select>
    </div>
    <div>
      <label for="occasionType">Occasion type</label>
      <input id="occasionType" name="occasionType" value="${filter.occasionType}" maxlength="40" />
    </div>
    <button>Show</button>
  </form>`;
}

function addressOf(page: '/list' | '/resend' | '', filter: FailureFilter): string {
  return `${PATH}${page}?${new URLSearchParams(given(filter))}`;
}

function groupsTable(filter: FailureFilter, failures: Failures, visitor: Visitor): Html {
  const { groups, occurrences, isComplete, asOf } = failures;
  const scope = html`${filterWords(filter)}; counted ${time(asOf)}`;
  if (groups.length === 0) return html`<p role="status">None: ${scope}.</p>`;
  const maySend = visitor.may('deliveries:write');
  return html`<p role="status">${countOf(occurrences, 'occurrence')} failed.</p>
    ${
      isComplete
        ? ''
        : html`<p class="warning">
            There are more than ${count(occurrences)}: those that were due last are counted here.
            Choose a shorter window for exact numbers.
          </p>`
    }
    ${table({
      label: 'Failures by reason and answer',
      caption: scope,
      columns: [
        'Reason',
        'Last answer',
        { number: 'Occurrences' },
        { number: 'Sent again before' },
        'Due',
        'Last failed',
        'What to do',
      ],
      rows: groups.map((group) => {
        const own = { ...filter, reason: group.reason, answer: group.answer };
        return [
          reasonWords(group.reason),
          answerWords(group.answer),
          count(group.occurrences),
          count(group.redelivered),
          html`${time(group.firstDueAt)} to ${time(group.lastDueAt)}`,
          time(group.lastSettledAt),
          html`<a href="${addressOf('/list', own)}">Show</a> ${
              maySend ? html`<a href="${addressOf('/resend', own)}">Send again…</a>` : ''
            }`,
        ];
      }),
    })}
    ${
      maySend
        ? html`<p>
              <a class="button" href="${addressOf('/resend', filter)}">Send all of them again…</a>
            </p>
            <p class="hint">A page with the count comes before anything is sent.</p>`
        : ''
    }`;
}

function listForm(
  { occurrences }: OccurrencePage,
  { reason }: FailureFilter,
  visitor: Visitor,
): Html {
  if (occurrences.length === 0) return html`<p role="status">None.</p>`;
  const maySend = visitor.may('deliveries:write');
  const list = table({
    label: 'Failed occurrences',
    caption: `${countOf(occurrences.length, 'occurrence')} on this page, by due instant`,
    columns: ['Occurrence', 'Whose', 'Due', 'Failed', 'After'],
    rows: occurrences.map((one) => [
      maySend
        ? html`<label class="check"
            ><input type="checkbox" name="key" value="${one.key}" /> ${one.occasionType} of
            ${one.nominalDate}</label
          >`
        : html`${one.occasionType} of ${one.nominalDate}`,
      whose(one),
      time(one.dueAt),
      time(one.settledAt),
      html`<a href="${occurrencePath(one.key)}">${countOf(one.attemptCount, 'attempt')}</a>`,
    ]),
  });
  if (!maySend) return list;
  return html`<form method="get" action="${PATH}/resend">
    <input type="hidden" name="settledBy" value="${lastSettled(occurrences)}" />
    <input type="hidden" name="reason" value="${reason}" />
    ${list}
    <p><button>Send the selected ones again…</button></p>
  </form>`;
}

/** The latest instant by which all of them were settled, as shown. */
function lastSettled(occurrences: readonly ListedOccurrence[]): string {
  return occurrences.reduce((last, { settledAt }) => {
    return settledAt !== null && settledAt > last ? settledAt : last;
  }, '');
}

function whose({ user, userId }: ListedOccurrence): Html | string {
  if (user === undefined) return userId;
  if (user === null) return 'deleted';
  const name = `${user.firstName} ${user.lastName}`.trim();
  return html`<a href="${HOME}/people/${userId}">${name}</a> ${user.externalId ?? ''}`;
}
