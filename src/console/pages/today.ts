/** The current state: what is wrong, the progress of the day, and how the last peak went. */
import { html, raw } from 'hono/html';

import { latenessChart } from '../../charts/lateness-chart.ts';
import { HOME } from '../access.ts';
import type { Status } from '../api-types.ts';
import type { ConsoleApp, PageDeps } from '../env.ts';
import { firstPage, type Html, sendPage } from '../layout.ts';
import { count, countOf, duration, figures, table } from '../markup.ts';
import { DAY_MS, time } from '../words.ts';

/** While something is due or being sent, and at other times. */
const LIVE_MS = 2_000;
const IDLE_MS = 10_000;

type ZoneCounts = NonNullable<Status['today']>['zones'][number];
type LastPeak = NonNullable<Status['lastPeak']>;

export function registerToday(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/', async (c) => {
    const first = firstPage(c.get('visitor'));
    if (first !== null && first !== HOME) return c.redirect(first, 303);
    const status = await api.get<Status>(c, '/v1/status');
    const { waiting, lastPeak } = status;
    const isGoingOut = (waiting?.due ?? 0) + (waiting?.sending ?? 0) + (lastPeak?.open ?? 0) > 0;
    return sendPage(c, {
      title: 'Today',
      liveMs: isGoingOut ? LIVE_MS : IDLE_MS,
      body: [
        problemsNow(status),
        day(status),
        await peaks(status),
        zones(status.today?.zones ?? []),
        audit(status),
      ],
    });
  });
}

function problemsNow({ problems, at }: Status): Html {
  if (problems.length === 0) {
    return html`<p><span class="state good">All is well</span>, as of ${time(at)}.</p>`;
  }
  return html`<section aria-labelledby="wrong">
    <h2 id="wrong">What is wrong now</h2>
    <ul class="problems">
      ${problems.map(
        ({ sentence, advice, since }) =>
          html`<li class="warning">
            <b>${sentence}</b> ${advice}
            <span class="muted">Since ${time(since)}.</span>
          </li>`,
      )}
    </ul>
  </section>`;
}

function day({ today, waiting, at }: Status): Html {
  if (today === null) return html`<p class="warning">The day's numbers cannot be read now.</p>`;
  const { onTime, late, failed, skipped, toCome } = today;
  const open = today.waiting + today.overdue;
  const ofTheDay = new URLSearchParams({
    from: `${today.date}T00:00:00Z`,
    to: `${dayAfter(today.date)}T00:00:00Z`,
  });
  const failedLink = html`<a href="${HOME}/failed?${ofTheDay}">${count(failed)}</a>`;
  return html`<section aria-labelledby="day">
    <h2 id="day">The day</h2>
    <p class="muted">
      By due instant, from 00:00 to 24:00 UTC on ${today.date}, as the ledger has it at ${time(at)}.
    </p>
    ${figures([
      ['Due so far', count(onTime + late + failed + skipped + open)],
      ['Delivered on time', count(onTime)],
      ['Delivered late', count(late)],
      ['Failed', failed > 0 ? failedLink : '0'],
      ['Skipped', count(skipped)],
      ['Waiting', count(today.waiting)],
      ['Overdue', count(today.overdue)],
      ['Still to come', count(toCome)],
    ])}
    ${
      waiting === null
        ? ''
        : html`<p>
            At this moment, of any day: ${count(waiting.due)} to be sent, ${count(waiting.sending)}
            being sent, ${count(waiting.retrying)} waiting for another attempt.
            <a href="${HOME}/deliveries">Deliveries</a>
          </p>`
    }
  </section>`;
}

async function peaks({ lastPeak, nextPeak }: Status): Promise<Html> {
  return html`<section aria-labelledby="peaks">
    <h2 id="peaks">Peaks</h2>
    <p class="muted">
      Minutes in which at least half as many are due as in the fullest one of the 24 hours before
      now, or after.
    </p>
    ${lastPeak === null ? html`<p>Nothing was due in the last 24 hours.</p>` : await past(lastPeak)}
    ${
      nextPeak === null
        ? html`<p>Nothing is planned for the next 24 hours.</p>`
        : html`<p>
            The next one: ${countOf(nextPeak.occurrences, 'occurrence')} at ${time(nextPeak.at)}.
            <a href="${HOME}/coming">Coming</a>
          </p>`
    }
  </section>`;
}

async function past(peak: LastPeak): Promise<Html> {
  const { at, occurrences, delivered, open, p50Ms, p95Ms, p99Ms, lateness } = peak;
  const percentiles = { p50: p50Ms, p95: p95Ms, p99: p99Ms };
  return html`<p>
      The last one: ${countOf(occurrences, 'occurrence')} at ${time(at)}, ${count(delivered)} of
      them delivered${open > 0 ? html`, <b>${count(open)} still to be delivered</b>` : ''}.
    </p>
    ${
      lateness.length === 0
        ? ''
        : html`${figures(
            Object.entries(percentiles).map(([name, ms]) => [
              `Lateness, ${name}`,
              ms === null ? '–' : duration(ms),
            ]),
          )}
          ${raw(
            await latenessChart({
              title: `How late the occurrences of ${at} were delivered`,
              lateness: lateness.map((group) => ({
                seconds: group.upToMs / 1_000,
                count: group.count,
              })),
            }),
          )}`
    }`;
}

function zones(all: readonly ZoneCounts[]): Html {
  if (all.length === 0) return html``;
  return table({
    label: 'By time zone',
    caption: 'The day by time zone, the zones with the most first',
    columns: [
      'Zone',
      ...['On time', 'Late', 'Failed', 'Skipped', 'Waiting', 'Overdue', 'To come'].map((name) => ({
        number: name,
      })),
    ],
    rows: all.map((zone) => [
      zone.timezone,
      ...[zone.onTime, zone.late, zone.failed, zone.skipped, zone.waiting, zone.overdue].map(count),
      count(zone.toCome),
    ]),
  });
}

function audit({ lastAudit, today, at }: Status): Html {
  const date = today?.date ?? at.slice(0, 10);
  return html`<section aria-labelledby="audit">
    <h2 id="audit">The audit</h2>
    <p class="muted">
      From the history of users and occasions, not from the ledger. Its day is the local day of
      sending, which lasts 50 hours around the world.
    </p>
    ${
      lastAudit === null
        ? html`<p>The hourly audit has not completed yet since this process started.</p>`
        : table({
            label: 'The last audits',
            caption: 'The hourly audit of the last days',
            columns: ['Day', 'As of', { number: 'Due' }, { number: 'Unaccounted' }],
            rows: lastAudit.map((day) => [
              html`<a href="${HOME}/audit?date=${day.date}">${day.date}</a>`,
              time(day.auditedAt),
              count(day.due),
              html`<span class="state ${day.unaccounted > 0 ? 'bad' : 'good'}"
                >${count(day.unaccounted)}</span
              >`,
            ]),
          })
    }
    <form method="get" action="${HOME}/audit">
      <input type="hidden" name="date" value="${date}" />
      <button>Audit ${date} now</button>
    </form>
  </section>`;
}

function dayAfter(date: string): string {
  return new Date(Date.parse(date) + DAY_MS).toISOString().slice(0, 10);
}
