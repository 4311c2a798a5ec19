/** Whether anything goes out, and the switch for it. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { ConsoleApp, PageDeps, Visitor } from '../env.ts';
import { csrfField, sendPage } from '../layout.ts';
import { redirectWith } from '../notice.ts';

const PATH = `${HOME}/deliveries`;

/** Of `GET /v1/deliveries`, as far as the page shows it. */
interface Deliveries {
  readonly destinations: readonly {
    readonly destination: string;
    readonly paused: boolean;
    readonly pausedSince: string | null;
    readonly pauseReason: string | null;
    readonly waiting: Readonly<Record<'due' | 'retrying' | 'sending' | 'tooLate', number>>;
  }[];
}

type DestinationState = Deliveries['destinations'][number];

export function registerDeliveries(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/deliveries', async (c) => {
    const { destinations } = await api.get<Deliveries>(c, '/v1/deliveries');
    const visitor = c.get('visitor');
    return sendPage(c, {
      title: 'Deliveries',
      liveMs: 5_000,
      body: html`${destinations.map((destination) => section(destination, visitor))}`,
    });
  });

  app.post('/deliveries/pause', async (c) => {
    const { destination, reason } = await c.req.parseBody<Record<string, string>>();
    const body = { reason: reason?.trim() ? reason : null };
    await api.send(c, 'POST', '/v1/deliveries/pause', { query: { destination }, body });
    return redirectWith(c, `Deliveries to ${destination} are paused.`, PATH);
  });

  app.post('/deliveries/resume', async (c) => {
    const { destination } = await c.req.parseBody<Record<string, string>>();
    await api.send(c, 'POST', '/v1/deliveries/resume', { query: { destination } });
    return redirectWith(c, `Deliveries to ${destination} are resumed.`, PATH);
  });
}

function section(state: DestinationState, visitor: Visitor) {
  const { destination, paused, pausedSince, pauseReason, waiting } = state;
  const hidden = html`<input type="hidden" name="destination" value="${destination}" />`;
  return html`<section>
    <h2>${destination}</h2>
    ${
      paused
        ? html`<p class="warning">
            Paused since ${pausedSince}: ${pauseReason ?? 'no reason given'}
          </p>`
        : html`<p><span class="state good">Sending</span></p>`
    }
    <dl class="figures">
      <div>
        <dt>Due</dt>
        <dd>${waiting.due}</dd>
      </div>
      <div>
        <dt>Waiting for a retry</dt>
        <dd>${waiting.retrying}</dd>
      </div>
      <div>
        <dt>Being sent</dt>
        <dd>${waiting.sending}</dd>
      </div>
    </dl>
    ${
      visitor.may('deliveries:write')
        ? paused
          ? html`<form method="post" action="${PATH}/resume">
              ${csrfField(visitor)}${hidden}<button class="primary">Resume</button>
            </form>`
          : html`<form method="post" action="${PATH}/pause" class="row">
              ${csrfField(visitor)}${hidden}
              <div>
                <label for="reason-${destination}">Reason</label>
                <input id="reason-${destination}" name="reason" maxlength="200" />
              </div>
              <button class="danger">Pause</button>
            </form>`
        : ''
    }
  </section>`;
}
