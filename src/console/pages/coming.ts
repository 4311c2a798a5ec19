/** How many fall due in the coming hours, days and months. */
import { html, raw } from 'hono/html';

import { barChart } from '../../charts/bar-chart.ts';
import type { Forecast } from '../api-types.ts';
import type { ConsoleApp, PageDeps } from '../env.ts';
import { type Html, sendPage } from '../layout.ts';
import { count, countOf, table } from '../markup.ts';
import { PageError } from '../page-error.ts';
import { DAY_MS, HOUR_MS, time } from '../words.ts';
import { COMING as PATH, dueIn } from './coming-due.ts';
import { placeholderSentence } from './coming-words.ts';

const MINUTE_MS = 60_000;
/** How many zones are named beside a peak, and listed for the whole period. */
const ZONES_OF_PEAK = 4;
const ZONES_LISTED = 20;

/** Of the forecast shown, in seconds: with a million users, computing a month takes seconds. */
const MAX_AGE = 600;

/** How far the page looks ahead, and what each bar of its chart covers. */
const SPANS = {
  '24h': { name: '24 hours', lengthMs: DAY_MS, barMs: HOUR_MS, bar: 'hour' },
  '30d': { name: '30 days', lengthMs: 30 * DAY_MS, barMs: DAY_MS, bar: 'day' },
  // The API's maximum, less what rounding adds to the end.
  '400d': { name: '400 days', lengthMs: 400 * DAY_MS - HOUR_MS, barMs: DAY_MS, bar: 'day' },
} as const;
type Span = keyof typeof SPANS;

export function registerComing(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/coming', async (c) => {
    const { span = '24h', occasionType = '' } = c.req.query();
    if (!isSpan(span)) throw NO_SPAN;
    const { lengthMs } = SPANS[span];
    // Rounded up to a full hour, so that all visitors of an hour share one forecast.
    const to = new Date(Math.ceil((Date.now() + lengthMs) / HOUR_MS) * HOUR_MS).toISOString();
    const query = { to, occasionType, maxAge: MAX_AGE };
    const forecast = await api.get<Forecast>(c, '/v1/forecast', query);
    return sendPage(c, {
      title: 'Coming',
      body: [
        spans(span, occasionType),
        summary(forecast),
        await chart(forecast, span),
        peaks(forecast, occasionType),
        byBar(forecast, span),
        byType(forecast, span),
        byZone(forecast),
      ],
    });
  });
}

function isSpan(text: string): text is Span {
  return Object.hasOwn(SPANS, text);
}

const NO_SPAN = new PageError(400, 'There is no such span', 'It is one of 24h, 30d and 400d.');

function spans(span: Span, occasionType: string): Html {
  return html`<form method="get" action="${PATH}" class="row">
    <div>
      <label for="span">How far</label>
      <select id="span" name="span">
        ${Object.entries(SPANS).map(
          ([value, { name }]) =>
            html`<option value="${value}" ${value === span ? html`selected` : ''}>${name}</option>`,
        )}
      </select>
    </div>
    <div>
      <label for="type">Occasion type</label>
      <input id="type" name="occasionType" value="${occasionType}" placeholder="all" />
    </div>
    <button class="primary">Show</button>
  </form>`;
}

function summary(forecast: Forecast): Html {
  const { from, to, forecastAt, settings, due, planned, blocked, suspended } = forecast;
  const { localTime, leapDayPolicy, tzVersion } = settings;
  return html`<p>
      <b>${countOf(due, 'occurrence')} due</b> from ${time(from)} until before ${time(to)}. In the
      ledger: ${count(planned)}; the others are computed by the rules in force (${localTime},
      ${leapDayPolicy}, tz ${tzVersion}). Counted at ${time(forecastAt)}; counted again after ten
      minutes at the latest.
    </p>
    ${
      blocked === 0
        ? ''
        : html`<p class="warning">
            Not counted: ${count(blocked)} that cannot be planned, because their time zone is
            unknown here.
          </p>`
    }
    ${suspended === 0 ? '' : html`<p>Not counted: ${count(suspended)} that are suspended.</p>`}`;
}

async function chart(forecast: Forecast, span: Span): Promise<Html> {
  const { from, to, types, due } = forecast;
  if (due === 0) return html``;
  const { barMs, bar } = SPANS[span];
  const starts = startsOf(forecast, barMs);
  // For longer spans the API returns no types.
  const series =
    forecast.minutes === null
      ? [{ name: 'all', counts: countBy(forecast.hours, barMs, ({ due }) => due) }]
      : types.map(({ type }) => ({
          name: type,
          counts: countBy(forecast.minutes ?? [], barMs, ({ types: found }) =>
            found.reduce((sum, one) => sum + (one.type === type ? one.due : 0), 0),
          ),
        }));
  return html`${raw(
    await barChart({
      title: `Due by ${bar} of UTC, from ${from} to ${to}`,
      description: `${count(due)} due in all. The table below has the numbers.`,
      slots: starts.map((start) => labelOf(start, barMs)),
      series: series.map(({ name, counts }) => ({
        name,
        values: starts.map((start) => counts.get(start) ?? 0),
      })),
    }),
  )}`;
}

function peaks({ peaks: found, due }: Forecast, occasionType: string): Html {
  if (found.length === 0) return html``;
  return html`${table({
    label: 'The fullest minutes',
    caption: 'The ten fullest minutes of this time, in UTC',
    columns: ['Minute', { number: 'Due' }, { number: 'Of all' }, 'Zones', 'Types'],
    rows: found.map((peak) => [
      // A minute that has passed since the count has no list.
      Date.parse(peak.at) < Date.now()
        ? time(peak.at)
        : html`<a href="${dueIn(peak.at, MINUTE_MS, { occasionType })}">${time(peak.at)}</a>`,
      count(peak.due),
      `${Math.round((100 * peak.due) / due)} %`,
      firstOf(peak.zones.map(({ timezone, due: of }) => `${timezone} ${count(of)}`)),
      firstOf(peak.types.map(({ type, due: of }) => `${type} ${count(of)}`)),
    ]),
  })}
  ${found
    .map((peak) => placeholderSentence(peak))
    .filter((sentence) => sentence !== null)
    .map((sentence) => html`<p class="warning">${sentence}</p>`)}`;
}

function firstOf(names: readonly string[]): string {
  const more = names.length - ZONES_OF_PEAK;
  const rest = more > 0 ? `, ${more} more` : '';
  return `${names.slice(0, ZONES_OF_PEAK).join(', ')}${rest}`;
}

/** The numbers of the chart. */
function byBar(forecast: Forecast, span: Span): Html {
  const { barMs, bar } = SPANS[span];
  const counts = countBy(forecast.hours, barMs, ({ due }) => due);
  const starts = startsOf(forecast, barMs).filter((start) => counts.has(start));
  if (starts.length === 0) return html``;
  return html`<details ${span === '24h' ? html`open` : ''}>
    <summary>By ${bar}</summary>
    ${table({
      label: `By ${bar}`,
      caption: `Each ${bar} of UTC in which any is due`,
      columns: [bar === 'hour' ? 'Hour' : 'Day', { number: 'Due' }],
      rows: starts.map((start) => [labelOf(start, barMs), count(counts.get(start) ?? 0)]),
    })}
  </details>`;
}

function byType({ types }: Forecast, span: Span): Html {
  if (types.length === 0) return html``;
  return table({
    label: 'By occasion type',
    caption: 'The same by occasion type',
    columns: [
      'Type',
      ...['Due', 'In the ledger', 'Zone unknown', 'Suspended'].map((name) => ({ number: name })),
    ],
    rows: types.map(({ type, due, planned, blocked, suspended }) => [
      html`<a href="${PATH}?${new URLSearchParams({ span, occasionType: type })}">${type}</a>`,
      ...[due, planned, blocked, suspended].map(count),
    ]),
  });
}

/** For longer spans the API returns zones of the peaks only. */
function byZone({ minutes }: Forecast): Html {
  const counts = new Map<string, number>();
  for (const { zones } of minutes ?? []) {
    for (const { timezone, due } of zones) counts.set(timezone, (counts.get(timezone) ?? 0) + due);
  }
  if (counts.size === 0) return html``;
  const fullest = [...counts].toSorted(([, one], [, other]) => other - one);
  return table({
    label: 'By time zone',
    caption: `The same by time zone${counts.size > ZONES_LISTED ? `: the ${ZONES_LISTED} fullest of ${count(counts.size)}` : ''}`,
    columns: ['Zone', { number: 'Due' }],
    rows: fullest.slice(0, ZONES_LISTED).map(([timezone, due]) => [timezone, count(due)]),
  });
}

/** The beginning of each bar, empty ones included; epoch ms. */
function startsOf({ from, to }: Forecast, barMs: number): number[] {
  const first = Math.floor(Date.parse(from) / barMs) * barMs;
  const bars = Math.ceil((Date.parse(to) - first) / barMs);
  return Array.from({ length: bars }, (_, nth) => first + nth * barMs);
}

/** By the beginning of its bar. */
function countBy<Slot extends { readonly at: string }>(
  slots: readonly Slot[],
  barMs: number,
  dueOf: (slot: Slot) => number,
): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const slot of slots) {
    const start = Math.floor(Date.parse(slot.at) / barMs) * barMs;
    counts.set(start, (counts.get(start) ?? 0) + dueOf(slot));
  }
  return counts;
}

function labelOf(start: number, barMs: number): string {
  const instant = new Date(start).toISOString();
  return barMs === HOUR_MS
    ? `${instant.slice(5, 10)} ${instant.slice(11, 16)}`
    : instant.slice(0, 10);
}
