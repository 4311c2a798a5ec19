/** Finding a person. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { path } from '../api-client.ts';
import type { User } from '../api-types.ts';
import type { ConsoleApp, PageDeps } from '../env.ts';
import { type Html, sendPage } from '../layout.ts';
import { countOf, nextPage, table } from '../markup.ts';
import { state } from '../words.ts';

const PATH = `${HOME}/people`;

interface UserPage {
  readonly users: readonly User[];
  readonly nextCursor: string | null;
}

export function registerPeople(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/people', async (c) => {
    const { q = '', cursor = '' } = c.req.query();
    const wanted = q.trim();
    const page = await api.get<UserPage>(c, '/v1/users', { q: wanted, cursor });
    return sendPage(c, {
      title: 'People',
      body: html`<form
          method="get"
          action="${PATH}"
          class="row"
          role="search"
          data-search="results"
        >
          <div>
            <label for="q">Name or external id</label>
            <input
              id="q"
              name="q"
              type="search"
              value="${q}"
              maxlength="200"
              autocomplete="off"
              autofocus
              aria-describedby="q-hint"
            />
          </div>
          <button>Search</button>
        </form>
        <p id="q-hint" class="hint">
          The beginning of the first name, the last name, both in either order, or your own id;
          accents and capitals do not matter.
        </p>
        <div id="results">${results(page, wanted, cursor !== '')}</div>`,
    });
  });
}

function results({ users, nextCursor }: UserPage, wanted: string, isContinued: boolean): Html {
  const scope =
    wanted === '' ? 'All users' : `Users whose name or external id begins with “${wanted}”`;
  if (users.length === 0) {
    return html`<p role="status">${scope}: ${noneWords(isContinued, nextCursor)}.</p>
      ${nextPage(PATH, { q: wanted }, nextCursor)}`;
  }
  return html`<p role="status" class="muted">
      ${countOf(users.length, 'user')} on this
      page${nextCursor === null ? '' : ', and there are more'}
    </p>
    ${table({
      label: 'Users',
      caption: `${scope}, in order of creation`,
      columns: ['Name', 'External id', 'Date of birth', 'Time zone', 'State'],
      rows: users.map((user) => [
        html`<a href="${PATH}${path`/${user.id}`}">${user.firstName} ${user.lastName}</a>`,
        user.externalId ?? '',
        user.dateOfBirth,
        user.timezone,
        user.suspended
          ? html`${state('suspended')} ${user.suspendedReason ?? ''}`
          : state('active'),
      ]),
    })}
    ${nextPage(PATH, { q: wanted }, nextCursor)}`;
}

/** A page of the API can be short, and even empty, and not be the last. */
function noneWords(isContinued: boolean, nextCursor: string | null): string {
  if (nextCursor !== null) return 'none on this page, and there are more';
  return isContinued ? 'no more' : 'none';
}
