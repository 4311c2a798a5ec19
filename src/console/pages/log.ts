/** Who changed what, and when. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { ConsoleApp, PageDeps } from '../env.ts';
import { sendPage } from '../layout.ts';
import { nextPage } from '../markup.ts';
import { type LogPage, logTable } from '../operator-log.ts';

export function registerLog(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/log', async (c) => {
    const { subject = '', actor = '', cursor = '' } = c.req.query();
    const query = { subject: subject.trim(), actor: actor.trim(), cursor };
    const { entries, nextCursor } = await api.get<LogPage>(c, '/v1/operator-log', query);
    return sendPage(c, {
      title: 'Operator log',
      body: html`<p>
          Every change that was made through this console, and by the API pauses, redeliveries,
          imports, tests and settings of occasion types.
        </p>
        <form method="get" action="${HOME}/log" class="row" role="search">
          <div>
            <label for="subject">Of</label>
            <input
              id="subject"
              name="subject"
              value="${subject}"
              maxlength="200"
              aria-describedby="subject-hint"
            />
          </div>
          <div>
            <label for="actor">Who</label>
            <input id="actor" name="actor" value="${actor}" maxlength="200" />
          </div>
          <button>Filter</button>
        </form>
        <p id="subject-hint" class="hint">
          A user's id, an occurrence's key, a destination or an occasion type; who is the name of an
          API key.
        </p>
        ${logTable(entries, cursor === '' ? 'The latest first' : 'Further entries, the latest first', c.get('visitor'))}
        ${nextPage(`${HOME}/log`, { subject, actor }, nextCursor)}`,
    });
  });
}
