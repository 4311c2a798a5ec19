/** A person: their data, what comes next and why, and what became of everything before. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { path } from '../api-client.ts';
import type { LogEntry, Occasion, OccurrenceRecord, User, UserHistory } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps, Visitor } from '../env.ts';
import { historySection } from '../history-view.ts';
import { csrfField, type Html, sendPage } from '../layout.ts';
import { nextPage } from '../markup.ts';
import { occurrenceDetails } from '../occurrence-view.ts';
import { type LogPage, logTable } from '../operator-log.ts';
import { localTime, time } from '../words.ts';
import { occasionsSection } from './person-occasions.ts';

type Ctx = Context<ConsoleEnv>;

/** Of `GET /v1/users/{id}/occurrences`. */
interface Occurrences {
  readonly occurrences: readonly OccurrenceRecord[];
  readonly nextCursor: string | null;
}

/** Per page. */
const OCCURRENCES = 50;
/** For how many occurrences the operator log is looked up, beside the person's own entries. */
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
    const dated = {
      visitor,
      user,
      occasions,
      occurrences: found?.occurrences ?? null,
      own: personPath(user.id),
      temporalUi,
    };
    return sendPage(c, {
      title: `${user.firstName} ${user.lastName}`.trim(),
      body: html`${aboutSection(c, user)} ${occasionsSection(dated)}
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

  /** Entries about the person, and about the occurrences that an operator may have acted on. */
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
      <dd>${user.deliveryTime ?? 'the default of the occasion type or the installation'}</dd>
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

/** The API's ETag of a user. */
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
    ${logTable(log, 'About this person and what was sent, the latest first', visitor)}
  </section>`;
}
