/** Whether deliveries are sent, to which destinations, and the switch for it. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { Deliveries } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps, Visitor } from '../env.ts';
import { csrfField, type Html, sendPage } from '../layout.ts';
import { count, figures } from '../markup.ts';
import { redirectWith } from '../notice.ts';
import { PageError } from '../page-error.ts';
import { type LogPage, logTable } from '../operator-log.ts';
import { time } from '../words.ts';

export const DELIVERIES = `${HOME}/deliveries`;
const ALL = 'all destinations';
const LOG_ENTRIES = 10;
/** The actions of this page's forms, in the operator log. */
const LOGGED = new Set(['pauseDeliveries', 'resumeDeliveries', 'testWebhook', 'checkWebhook']);

type Destination = Deliveries['destinations'][number];
/** The state of one destination, or of all combined. */
type State = Pick<Deliveries, keyof Deliveries & keyof Destination>;

export function registerDeliveries(app: ConsoleApp, { api }: PageDeps): void {
  /** Null: all destinations. */
  async function pause(c: Context<ConsoleEnv>, destination: string | null) {
    const { reason = '' } = await c.req.parseBody<Record<string, string>>();
    const body = { reason: reason.trim() === '' ? null : reason };
    await api.send(c, 'POST', '/v1/deliveries/pause', { query: { destination }, body });
    return redirectWith(c, `Deliveries to ${destination ?? ALL} are paused.`, DELIVERIES);
  }

  /** Ends the pause that the page showed, if any, and not one that began since. */
  async function resume(c: Context<ConsoleEnv>, destination: string | null) {
    const { pausedSince = '' } = await c.req.parseBody<Record<string, string>>();
    const now = await api.get<Deliveries>(c, '/v1/deliveries', { destination });
    if (now.pausedSince !== null && now.pausedSince !== pausedSince) throw pausedAnew(now);
    await api.send(c, 'POST', '/v1/deliveries/resume', { query: { destination } });
    return redirectWith(c, `Deliveries to ${destination ?? ALL} are resumed.`, DELIVERIES);
  }

  app.get('/deliveries', async (c) => {
    const [all, log] = await Promise.all([
      api.get<Deliveries>(c, '/v1/deliveries'),
      api.get<LogPage>(c, '/v1/operator-log', { limit: 50 }),
    ]);
    const visitor = c.get('visitor');
    const entries = log.entries.filter(({ action }) => LOGGED.has(action)).slice(0, LOG_ENTRIES);
    return sendPage(c, {
      title: 'Deliveries',
      liveMs: 5_000,
      body: html`<p class="hint">For all occasion types and days, at this moment.</p>
        ${all.destinations.length > 1 ? togetherSection(all, visitor) : ''}
        ${all.destinations.map((destination) => destinationSection(destination, visitor))}
        <section>
          <h2>What operators did here</h2>
          ${logTable(entries, 'Pauses, resumptions, tests and checks among the latest 50 entries', visitor)}
          <p><a href="${HOME}/log">The whole operator log</a></p>
        </section>`,
    });
  });

  app.post('/deliveries/pause', (c) => pause(c, null));
  app.post('/deliveries/:destination/pause', (c) => pause(c, c.req.param('destination')));
  app.post('/deliveries/resume', (c) => resume(c, null));
  app.post('/deliveries/:destination/resume', (c) => resume(c, c.req.param('destination')));
}

function pausedAnew({ pausedSince, pauseReason }: State): PageError {
  return new PageError(
    409,
    'Deliveries have been paused since the page was loaded',
    `Nothing was changed. Now: paused since ${pausedSince}: ${pauseReason ?? 'no reason given'}. Load the page again.`,
  );
}

function togetherSection(all: Deliveries, visitor: Visitor): Html {
  return html`<section>
    <h2>All ${all.destinations.length} destinations together</h2>
    ${stateWords(all)} ${waitingFigures(all.waiting)}
    ${visitor.may('deliveries:write') ? switchForms(DELIVERIES, all, 'Pause all', visitor) : ''}
  </section>`;
}

function destinationSection(one: Destination, visitor: Visitor): Html {
  const { destination, dispatchers, maxPerSecond, secrets, waiting } = one;
  const own = `${DELIVERIES}/${encodeURIComponent(destination)}`;
  return html`<section>
    <h2>${destination}</h2>
    ${stateWords(one)} ${waitingFigures(waiting)}
    <dl class="facts">
      <dt>Dispatchers alive</dt>
      <dd>
        ${
          dispatchers === 0
            ? html`<span class="state bad">none</span>: workflows send, one by one. Start
                <code>npm run dispatcher</code>.`
            : count(dispatchers)
        }
      </dd>
      <dt>Rate limit</dt>
      <dd>
        ${maxPerSecond === null ? 'none' : `${maxPerSecond} a second, all processes together`}
      </dd>
      <dt>Secrets in use</dt>
      <dd>
        ${
          secrets.length === 0
            ? 'not known: the API process does not have the settings of this destination'
            : html`${secrets.map((secret, at) => html`${at > 0 ? ', ' : ''}<code>${secret}</code>`)}
                <span class="hint">(the newest first; the beginning of the SHA-256 of each)</span>`
        }
      </dd>
    </dl>
    ${
      visitor.may('deliveries:write')
        ? html`${switchForms(own, one, 'Pause', visitor)}
            <p class="hint">
              A test event is signed and sent as a delivery is, also while deliveries are paused,
              and is about no user. A check sends six of them, right and wrong ones, and says which
              the receiver handled correctly; it takes twice the time limit of a request at most.
            </p>
            <div class="row">
              <form method="post" action="${own}/test" class="inline">
                ${csrfField(visitor)}<button>Send a test event</button>
              </form>
              <form method="post" action="${own}/check" class="inline">
                ${csrfField(visitor)}<button>Check the receiver</button>
              </form>
            </div>`
        : ''
    }
  </section>`;
}

function stateWords({ paused, pausedSince, pauseReason, slowed }: State): Html {
  const words = paused
    ? html`<p class="warning">
        <span class="state warn">Paused</span> since ${time(pausedSince)}:
        ${pauseReason ?? 'no reason given'}. Nothing is sent, and nothing is lost.
      </p>`
    : html`<p><span class="state good">Sending</span></p>`;
  if (slowed === null) return words;
  return html`${words}
    <p class="warning">
      <span class="state warn">Slowed down</span> since ${time(slowed.since)}, because the receiver
      asks to slow down (429 or 503): nothing before ${time(slowed.until)}, then ${slowed.perSecond}
      requests a second. It ends by itself; resuming ends it now.
    </p>`;
}

function waitingFigures({
  due,
  retrying,
  sending,
  tooLate,
  firstTooLateAt,
}: Deliveries['waiting']): Html {
  return html`${figures([
    ['Due, not yet claimed', count(due)],
    ['Waiting for a retry', count(retrying)],
    ['Being sent', count(sending)],
    ['Too late, will be skipped', count(tooLate)],
  ])}
  ${
    firstTooLateAt === null
      ? ''
      : html`<p>The first of what waits passes LATE_LIMIT at ${time(firstTooLateAt)}.</p>`
  }`;
}

/** The button ends a pause, and a slow-down too. */
function switchForms(
  own: string,
  { paused, pausedSince, slowed }: State,
  pauseLabel: string,
  visitor: Visitor,
): Html {
  const id = `reason-${own.split('/').at(-1)}`;
  const resume = html`<form method="post" action="${own}/resume">
    ${csrfField(visitor)}<input type="hidden" name="pausedSince" value="${pausedSince ?? ''}" />
    <button class="primary">Resume</button>
    <span class="hint">What has waited is sent once, behind what is on time.</span>
  </form>`;
  if (paused) return resume;
  return html`${slowed === null ? '' : resume}
    <form method="post" action="${own}/pause" class="row">
      ${csrfField(visitor)}
      <div>
        <label for="${id}">Reason</label>
        <input id="${id}" name="reason" maxlength="200" aria-describedby="${id}-hint" />
      </div>
      <button class="danger">${pauseLabel}</button>
    </form>
    <p id="${id}-hint" class="hint">
      Nothing is sent until deliveries resume. What waits without an attempt for longer than
      LATE_LIMIT is skipped.
    </p>`;
}
