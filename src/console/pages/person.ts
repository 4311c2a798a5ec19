/** A person: what is known, what comes next and why, what became of everything before. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { path } from '../api-client.ts';
import type { LogEntry, Occasion, OccurrenceRecord, User, UserHistory } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps, Visitor } from '../env.ts';
import { historySection } from '../history-view.ts';
import { csrfField, type Html, sendPage } from '../layout.ts';
import { nextPage, table } from '../markup.ts';
import { occurrenceDetails } from '../occurrence-view.ts';
import { type LogPage, logTable } from '../operator-log.ts';
import { localTime, state, time } from '../words.ts';

type Ctx = Context<ConsoleEnv>;

/** Of `GET /v1/users/{id}/occurrences`. */
interface Occurrences {
  readonly occurrences: readonly OccurrenceRecord[];
  readonly nextCursor: string | null;
}

/** Further ones are a page each. */
const OCCURRENCES = 50;
/** Whose entries of the operator log are looked up, besides those of the person. */
const LOGGED_OCCURRENCES = 5;

export const personPath = (id: string): string => `${HOME}${path`/people/${id}`}`;

export function registerPerson(app: ConsoleApp, { api, temporalUi }: PageDeps): void {
  app.get('/people/:id', async (c) => {
    const id = c.req.param('id');
    const { cursor = '' } = c.req.query();
    const visitor = c.get('visitor');
    const user = await api.get<User>(c, path`/v1/users/${id}`);
    const seesDeliveries = visitor.may('deliveries:read');
    const [{ occasions }, history, found] = await Promise.all([
      api.get<{ occasions: Occasion[] }>(c, path`/v1/users/${id}/occasions`, { limit: 200 }),
      api.get<UserHistory>(c, path`/v1/users/${id}/history`),
      seesDeliveries
        ? api.get<Occurrences>(c, path`/v1/users/${id}/occurrences`, { cursor, limit: OCCURRENCES })
        : null,
    ]);
    const log = found === null ? null : await findLog(c, user, found.occurrences);
    return sendPage(c, {
      title: `${user.firstName} ${user.lastName}`.trim(),
      body: html`${aboutSection(c, user)} ${occasionsSection(c, user, occasions, found)}
      ${
        found === null
          ? html`<p class="muted">
              Your key does not have the scope <code>deliveries:read</code>: what was sent is not
              shown.
            </p>`
          : occurrencesSection(c, user, found)
      }
      ${historySection(history, user)} ${log === null ? '' : logSection(log, visitor)}`,
    });
  });

  /** Of the person, and of the occurrences that somebody may have acted on. */
  async function findLog(c: Ctx, { id }: User, occurrences: readonly OccurrenceRecord[]) {
    const touched = occurrences.filter(
      ({ redeliveries, nextAttemptAt, attemptCount }) =>
        redeliveries > 0 || (nextAttemptAt !== null && attemptCount > 0),
    );
    const subjects = [id, ...touched.slice(0, LOGGED_OCCURRENCES).map(({ key }) => key)];
    const pages = await Promise.all(
      subjects.map((subject) => api.get<LogPage>(c, '/v1/operator-log', { subject })),
    );
    return pages.flatMap(({ entries }) => entries).sort((a, b) => b.at.localeCompare(a.at));
  }

  function workflowLink(type: string, id: string): Html {
    if (temporalUi === null) return html`<span class="muted">set TEMPORAL_UI_URL</span>`;
    const workflow = `${type}/${id}`;
    return html`<a href="${temporalUi}${encodeURIComponent(workflow)}">${workflow}</a>`;
  }

  function occasionsSection(
    c: Ctx,
    user: User,
    occasions: readonly Occasion[],
    found: Occurrences | null,
  ): Html {
    const mayChange = c.get('visitor').may('users:write');
    const own = personPath(user.id);
    const rowOf = (
      one: Pick<Occasion, 'id' | 'type' | 'status' | 'suspendedReason' | 'externalId'>,
      dates: string,
      name: Html | string,
    ) => [
      name,
      dates,
      html`${state(one.status)} ${one.suspendedReason ?? ''}`,
      nextWords(one, found),
      workflowLink(one.type, one.id),
    ];
    const birthday = {
      id: user.id,
      type: 'birthday',
      status: user.suspended ? 'suspended' : 'active',
      suspendedReason: user.suspendedReason,
      externalId: null,
    } as const;
    return html`<section>
      <h2>Occasions</h2>
      ${table({
        label: 'Occasions',
        caption: 'All that are dated, with what comes next and why then',
        columns: ['Type', 'Date', 'State', 'Next', 'Workflow in Temporal'],
        rows: [
          rowOf(birthday, user.dateOfBirth, 'birthday'),
          ...occasions.map((one) =>
            rowOf(
              one,
              datesOf(one),
              mayChange
                ? html`<a href="${own}${path`/occasions/${one.id}`}">${nameOf(one)}</a>`
                : nameOf(one),
            ),
          ),
        ],
      })}
      ${mayChange ? html`<p><a class="button" href="${own}/occasions/new">Add an occasion</a></p>` : ''}
    </section>`;
  }
}

const nameOf = ({ type, externalId }: Occasion): string =>
  externalId === null ? type : `${type} ${externalId}`;

function datesOf({ date, recurrence, rrule, offsetDays, timezone }: Occasion): string {
  const parts = [date ?? 'of birth', rrule ?? recurrence ?? ''];
  if (offsetDays > 0) parts.push(`${offsetDays} days before`);
  if (timezone !== null) parts.push(timezone);
  return parts.join(', ');
}

/** By the open row of the occasion, which is among the latest due. */
function nextWords(
  { id, type, status }: Pick<Occasion, 'id' | 'type' | 'status'>,
  found: Occurrences | null,
): Html | string {
  if (found === null) return '';
  const open = found.occurrences.find(
    (row) =>
      row.occasionType === type &&
      row.occasionId === id &&
      row.redeliveries === 0 &&
      (row.status === 'PENDING' || row.status === 'PROCESSING'),
  );
  if (open === undefined) {
    if (status === 'ended') return 'nothing is to come';
    return status === 'suspended'
      ? 'nothing while it is suspended'
      : 'not on this page, or its plan is being made';
  }
  if (open.dueAt === null) return `cannot be planned: ${open.blockedReason}`;
  return html`${time(open.dueAt)}<br />${open.explanation ?? `${open.localDate}, ${open.localTime}`}
    ${open.replanning ? html`<br /><span class="state warn">its new plan is being made</span>` : ''}`;
}

function aboutSection(c: Ctx, user: User): Html {
  const own = personPath(user.id);
  const visitor = c.get('visitor');
  return html`<section>
    ${
      user.suspended
        ? html`<p class="warning">
            <span class="state warn">Suspended</span>: ${user.suspendedReason ?? 'no reason given'}.
            Nothing is sent to this person.
          </p>`
        : ''
    }
    <dl class="facts">
      <dt>External id</dt>
      <dd>${user.externalId ?? 'none'}</dd>
      <dt>Date of birth</dt>
      <dd>${user.dateOfBirth}</dd>
      <dt>Time zone</dt>
      <dd>${user.timezone} ${localNow(user.timezone)}</dd>
      <dt>Delivery time</dt>
      <dd>${user.deliveryTime ?? 'as the occasion type or the installation says'}</dd>
      <dt>Created</dt>
      <dd>${time(user.createdAt)}</dd>
      <dt>Last changed</dt>
      <dd>${time(user.updatedAt)}, revision ${user.revision}</dd>
      <dt>Id</dt>
      <dd><code>${user.id}</code></dd>
    </dl>
    ${
      visitor.may('users:write')
        ? html`<div class="row">
              <a class="button" href="${own}/edit">Edit</a>
              <a class="button" href="${own}/delete">Delete…</a>
            </div>
            ${
              user.suspended
                ? html`<form method="post" action="${own}/lift">
                    ${csrfField(visitor)}
                    <input type="hidden" name="etag" value="${etagOf(user)}" />
                    <p class="hint">
                      From the next occurrence on, webhooks are sent again. What fell due meanwhile
                      is not sent later.
                    </p>
                    <button>Lift the suspension</button>
                  </form>`
                : html`<form method="post" action="${own}/suspend" class="row">
                      ${csrfField(visitor)}
                      <input type="hidden" name="etag" value="${etagOf(user)}" />
                      <div>
                        <label for="suspendedReason">Reason</label>
                        <input
                          id="suspendedReason"
                          name="suspendedReason"
                          maxlength="200"
                          aria-describedby="suspend-hint"
                        />
                      </div>
                      <button class="danger">Suspend</button>
                    </form>
                    <p id="suspend-hint" class="hint">
                      Nothing is sent to a suspended person, of any occasion. What falls due
                      meanwhile is skipped, and not sent later.
                    </p>`
            }`
        : ''
    }
  </section>`;
}

function localNow(timezone: string): string {
  const now = localTime(new Date().toISOString(), timezone);
  return now === '' ? '' : `(there it is ${now})`;
}

/** As the API has it: the revision is enough. */
const etagOf = ({ revision }: User): string => `"${revision}"`;

function occurrencesSection(c: Ctx, user: User, { occurrences, nextCursor }: Occurrences): Html {
  const visitor = c.get('visitor');
  const isContinued = c.req.query('cursor') !== undefined;
  return html`<section>
    <h2>Occurrences</h2>
    ${
      occurrences.length === 0
        ? html`<p class="muted">${isContinued ? 'No more.' : 'None has been planned yet.'}</p>`
        : html`<p class="muted">
              ${isContinued ? 'Further ones, the' : 'The'} latest due instant first; each opens.
            </p>
            ${occurrences.map((one) => occurrenceDetails(one, { visitor, from: 'person' }))}`
    }
    ${nextPage(personPath(user.id), {}, nextCursor)}
  </section>`;
}

function logSection(log: readonly LogEntry[], visitor: Visitor): Html {
  return html`<section>
    <h2>What operators did</h2>
    ${logTable(log, 'Of this person and of what was sent, the latest first', visitor)}
  </section>`;
}
