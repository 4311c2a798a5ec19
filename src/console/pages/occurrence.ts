/** One occurrence: every attempt, operators' actions, and the buttons for retry and redelivery. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { path } from '../api-client.ts';
import type { OccurrenceRecord } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps } from '../env.ts';
import { sendPage } from '../layout.ts';
import { redirectWith } from '../notice.ts';
import { occurrenceBody, occurrencePath } from '../occurrence-view.ts';
import { type LogPage, logTable } from '../operator-log.ts';

export function registerOccurrence(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/occurrences/:key', async (c) => {
    const key = c.req.param('key');
    const visitor = c.get('visitor');
    const one = await api.get<OccurrenceRecord>(c, path`/v1/occurrences/${key}`);
    const log = await api.get<LogPage>(c, '/v1/operator-log', { subject: one.key });
    return sendPage(c, {
      title: `${one.occasionType} of ${one.nominalDate}`,
      ...(isUnderWay(one) ? { liveMs: 5_000 } : {}),
      body: html`${
          visitor.may('users:read')
            ? html`<p><a href="${HOME}${path`/people/${one.userId}`}">The user</a></p>`
            : ''
        }
        ${occurrenceBody(one, { visitor, from: 'occurrence' })}
        <section>
          <h2>What operators did</h2>
          ${logTable(log.entries, 'The latest first', visitor)}
        </section>`,
    });
  });

  app.post('/occurrences/:key/retry', async (c) => {
    const { attemptCount = '' } = await c.req.parseBody<Record<string, string>>();
    const body = { attemptCount: Number(attemptCount) };
    return done(c, 'retry', body, 'The next attempt is being made now.');
  });

  app.post('/occurrences/:key/redeliver', async (c) => {
    const { settledBy = '' } = await c.req.parseBody<Record<string, string>>();
    return done(c, 'redeliver', { settledBy }, 'It is being sent again.');
  });

  /** Returns to the page that the action came from. */
  async function done(
    c: Context<ConsoleEnv, '/occurrences/:key/retry'>,
    action: 'retry' | 'redeliver',
    body: object,
    notice: string,
  ): Promise<Response> {
    const key = c.req.param('key');
    const { from } = await c.req.parseBody();
    type Changed = { readonly occurrence: OccurrenceRecord };
    const route = `${path`/v1/occurrences/${key}`}/${action}`;
    const { occurrence } = (await api.send<Changed>(c, 'POST', route, { body })).body;
    const isOfPerson = from === 'person' && c.get('visitor').may('users:read');
    const to = isOfPerson ? `${HOME}/people/${occurrence.userId}` : occurrencePath(key);
    return redirectWith(c, notice, to);
  }
}

/** Being sent, or between two attempts: not one that is planned for next year. */
function isUnderWay({ status, attemptCount, redeliveries }: OccurrenceRecord): boolean {
  return status === 'PROCESSING' || (status === 'PENDING' && attemptCount + redeliveries > 0);
}
