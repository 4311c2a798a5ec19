/** What falls due in a period of the future. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { ListPage } from '../csv.ts';
import type { ConsoleApp, PageDeps, Visitor } from '../env.ts';
import { type Html, sendPage } from '../layout.ts';
import { nextPage, table } from '../markup.ts';
import { time } from '../words.ts';
import { type ListedOccurrence, occurrenceLink, person } from './occurrence-people.ts';

export const COMING = `${HOME}/coming`;
const PATH = `${COMING}/due`;

interface ComingOccurrence extends ListedOccurrence {
  readonly planned: boolean;
}

export function registerComingDue(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/coming/due', async (c) => {
    const query = c.req.query();
    const include = c.get('visitor').may('users:read') ? 'user' : undefined;
    const found = await api.get<ListPage<ComingOccurrence>>(c, '/v1/forecast/occurrences', {
      ...query,
      include,
    });
    const { from = 'now', to = '', occasionType = 'any', timezone = 'any' } = query;
    return sendPage(c, {
      title: `Due from ${from} to ${to}`,
      body: html`<p><a href="${COMING}">Coming</a></p>
        ${list(found, `From ${from} until before ${to}; type: ${occasionType}; zone: ${timezone}`, c.get('visitor'))}
        ${nextPage(PATH, query, found.nextCursor)}`,
    });
  });
}

/** The address of the list. */
export function dueIn(
  at: string,
  lengthMs: number,
  filter: Readonly<Record<string, string>>,
): string {
  const to = new Date(Date.parse(at) + lengthMs).toISOString();
  const given = Object.entries(filter).filter(([, value]) => value !== '');
  return `${PATH}?${new URLSearchParams([['from', at], ['to', to], ...given])}`;
}

function list(
  { occurrences }: ListPage<ComingOccurrence>,
  caption: string,
  visitor: Visitor,
): Html {
  if (occurrences.length === 0) return html`<p>Nothing is due then. ${caption}</p>`;
  return table({
    label: 'Occurrences',
    caption: `${caption}. First what is in the ledger, by due instant, then what is computed, by user`,
    columns: ['Occurrence', 'Who', 'Type', 'Due', 'Zone', 'In the ledger'],
    rows: occurrences.map((item) => [
      item.planned ? occurrenceLink(item.key) : html`<code>${item.key}</code>`,
      person(item, visitor),
      item.occasionType,
      time(item.dueAt),
      item.timezone,
      item.planned ? 'yes' : 'not yet',
    ]),
  });
}
