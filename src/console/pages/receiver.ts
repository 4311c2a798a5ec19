/** Tests of a destination's receiver: a test event, and a check with right and wrong ones. */
import { html } from 'hono/html';
import type { z } from 'zod';

import type { WebhookCheckSchema } from '../../api/routes/webhook-check.ts';
import type { WebhookTestSchema } from '../../api/routes/webhook-test.ts';
import { path } from '../api-client.ts';
import type { ConsoleApp, PageDeps } from '../env.ts';
import type { Html } from '../layout.ts';
import { duration, table } from '../markup.ts';
import { redirectWith } from '../notice.ts';
import { time } from '../words.ts';
import { DELIVERIES as PATH } from './deliveries.ts';

type TestResult = z.output<typeof WebhookTestSchema>;
type CheckResult = z.output<typeof WebhookCheckSchema>;

export function registerReceiver(app: ConsoleApp, { api, results }: PageDeps): void {
  app.post('/deliveries/:destination/test', async (c) => {
    const destination = c.req.param('destination');
    const query = { destination };
    const { body } = await api.send<TestResult>(c, 'POST', '/v1/webhook/test', { query });
    const { status, errorCode, durationMs, explanation } = body;
    const answer = status === null ? errorCode : `HTTP ${status}`;
    const notice = `Test event to ${destination}: ${answer} after ${duration(durationMs)}. ${explanation}`;
    return redirectWith(c, notice, PATH);
  });

  app.post('/deliveries/:destination/check', async (c) => {
    const destination = c.req.param('destination');
    const query = { destination };
    const { body } = await api.send<CheckResult>(c, 'POST', '/v1/webhook/check', { query });
    const title = `Check of the receiver: ${destination}`;
    const id = await results.keep(c, { title, body: checkBody(body) });
    return c.redirect(`${PATH}${path`/${destination}/check/${id}`}`, 303);
  });
  app.get('/deliveries/:destination/check/:id', (c) => results.send(c, c.req.param('id')));
}

function checkBody({ startedAt, passed, steps, deduplicated, connection, advice }: CheckResult) {
  const { tlsVersion, keptAlive } = connection;
  return html`<p class="${passed ? 'notice' : 'warning'}">
      ${
        passed
          ? html`<span class="state good">Passed</span>: the receiver handled every event correctly.`
          : html`<span class="state bad">Not passed</span>: see what to change below.`
      }
    </p>
    ${table({
      label: 'Results of the check',
      caption: html`Six events, sent from ${time(startedAt)} on`,
      columns: ['Sent', 'Should be', 'Answer', { number: 'Took' }, 'Handled', 'Explanation'],
      rows: steps.map((step) => [
        step.sent,
        step.expected,
        step.status === null ? (step.errorCode ?? 'not sent') : `HTTP ${step.status}`,
        step.durationMs === null ? '' : duration(step.durationMs),
        rightWords(step.right),
        step.explanation,
      ]),
    })}
    <dl class="facts">
      <dt>Recognized the event that came twice</dt>
      <dd>${yesOrNo(deduplicated)}</dd>
      <dt>TLS</dt>
      <dd>${tlsVersion ?? 'none'}</dd>
      <dt>Keeps connections open</dt>
      <dd>${yesOrNo(keptAlive)}</dd>
    </dl>
    ${
      advice.length === 0
        ? ''
        : html`<h2>What to change</h2>
            <ul>
              ${advice.map((sentence) => html`<li>${sentence}</li>`)}
            </ul>`
    }
    <p><a href="${PATH}">Back to deliveries</a></p>`;
}

function rightWords(right: boolean | null): Html {
  if (right === null) return html`<span class="muted">unknown</span>`;
  if (right) return html`<span class="state good">correctly</span>`;
  return html`<span class="state bad">incorrectly</span>`;
}

function yesOrNo(value: boolean | null): string {
  if (value === null) return 'unknown';
  return value ? 'yes' : 'no';
}
