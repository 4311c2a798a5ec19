/** What fell due on a day and what became of each, with lists behind the numbers. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import { type ApiClient, path } from '../api-client.ts';
import { type ListPage, sendCsv } from '../csv.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps, Visitor } from '../env.ts';
import { type Html, sendPage } from '../layout.ts';
import { count, countOf, nextPage, table } from '../markup.ts';
import { time } from '../words.ts';
import { CLASSES, type ClassName, partInWords, WRONG } from './audit-words.ts';
import {
  type ListedOccurrence,
  occurrenceLink,
  person,
  personColumns,
} from './occurrence-people.ts';

const PATH = `${HOME}/audit`;
const LIST_PATH = `${PATH}/occurrences`;
const CSV_PATH = `${PATH}/occurrences.csv`;
/** The page size of the API. */
const CSV_PAGE = 200;

type Group = number | ({ readonly total: number } & Readonly<Record<string, unknown>>);

/** Of `GET /v1/audit/{date}`, as far as the page shows it. */
type Audit = Readonly<Record<ClassName, Group>> & {
  readonly date: string;
  readonly auditedAt: string;
  readonly settings: Readonly<Record<'localTime' | 'leapDayPolicy' | 'tzVersion', string>>;
  readonly due: number;
  readonly types: readonly (Readonly<Record<ClassName, Group>> & {
    readonly type: string;
    readonly due: number;
    readonly unaccounted: number;
  })[];
} & Readonly<Record<keyof typeof WRONG, { readonly count: number }>>;

interface Audited extends ListedOccurrence {
  readonly class: string;
  readonly localDate: string | null;
  readonly attempts: number;
}

export function registerAudit(app: ConsoleApp, { api }: PageDeps): void {
  app.get('/audit', async (c) => {
    const date = c.req.query('date');
    const audit = date ? await api.get<Audit>(c, path`/v1/audit/${date}`) : null;
    return sendPage(c, {
      title: audit === null ? 'Audit' : `Audit of ${audit.date}`,
      body: [dayForm(date ?? today()), audit === null ? html`` : result(audit)],
    });
  });

  app.get('/audit/occurrences', async (c) => {
    const { date = '', cursor: _cursor, ...filter } = c.req.query();
    const found = await readPage(api, c, c.req.query());
    const { class: className = 'all', occasionType } = filter;
    return sendPage(c, {
      title: `Audit of ${date}: ${className}`,
      body: html`<p>
          <a href="${PATH}?${new URLSearchParams({ date })}">The audit of ${date}</a>
        </p>
        ${meaning(className)}
        ${list(found, `Due on ${date}${occasionType ? `, of type ${occasionType}` : ''}`, c.get('visitor'))}
        ${nextPage(LIST_PATH, c.req.query(), found.nextCursor)}
        <p>
          <a href="${CSV_PATH}?${new URLSearchParams({ date, ...filter })}">Download as CSV</a>
        </p>`,
    });
  });

  app.get('/audit/occurrences.csv', (c) => {
    const { cursor: _cursor, ...query } = c.req.query();
    const fileName = `audit-${query['date'] ?? ''}.csv`.replaceAll(/[^\w.-]/g, '');
    return sendCsv<Audited>(
      c,
      fileName,
      [
        ['class', (item) => item.class],
        ['key', (item) => item.key],
        ['occasionType', (item) => item.occasionType],
        ['nominalDate', (item) => item.nominalDate],
        ['localDate', (item) => item.localDate],
        ['timezone', (item) => item.timezone],
        ['dueAt', (item) => item.dueAt],
        ['attempts', (item) => item.attempts],
        ...personColumns<Audited>(c.get('visitor')),
      ],
      (cursor) => readPage(api, c, { ...query, cursor: cursor ?? '', limit: String(CSV_PAGE) }),
    );
  });
}

function readPage(
  api: ApiClient,
  c: Context<ConsoleEnv>,
  { date = '', ...query }: Readonly<Record<string, string>>,
): Promise<ListPage<Audited>> {
  const include = c.get('visitor').may('users:read') ? 'user' : undefined;
  return api.get(c, path`/v1/audit/${date}/occurrences`, { ...query, include });
}

function dayForm(date: string): Html {
  return html`<form method="get" action="${PATH}" class="row">
      <div>
        <label for="date">Day</label>
        <input id="date" name="date" type="date" value="${date}" required />
      </div>
      <button class="primary">Audit</button>
    </form>
    <p class="muted">
      The day is the local day of sending, on each user's own calendar. What was due comes from the
      history of users and occasions, never from the ledger. A million users take some seconds.
    </p>`;
}

function result(audit: Audit): Html {
  const { date, auditedAt, settings, due, types } = audit;
  const { localTime, leapDayPolicy, tzVersion } = settings;
  const wrong = Object.keys(WRONG) as (keyof typeof WRONG)[];
  const isClean = wrong.every((name) => audit[name].count === 0);
  return html`<p>
      As of ${time(auditedAt)}, by ${localTime}, ${leapDayPolicy}, tz ${tzVersion}:
      <b>${countOf(due, 'occurrence')} due on ${date}.</b>
      ${
        isClean
          ? html`<span class="state good">All are accounted for.</span>`
          : html`<span class="state bad">Something is wrong.</span>`
      }
    </p>
    ${table({
      label: 'What is wrong',
      caption: `What must be 0, on ${date}`,
      columns: ['Class', { number: 'Occurrences' }, 'What it means'],
      rows: wrong.map((name) => [name, linked(date, name, audit[name].count), WRONG[name]]),
    })}
    ${table({
      label: 'What became of them',
      caption: `What became of the occurrences due on ${date}: each is in one class`,
      columns: ['Class', { number: 'Occurrences' }, 'What it means'],
      rows: classNames().flatMap((name) => classRows(date, name, audit[name])),
    })}
    ${
      types.length < 2
        ? ''
        : table({
            label: 'By occasion type',
            caption: `The same by occasion type, on ${date}`,
            columns: [
              'Type',
              ...['Unaccounted', 'Due', ...classNames()].map((name) => ({ number: name })),
            ],
            rows: types.map((type) => typeRow(date, type)),
          })
    }
    <p><a href="${CSV_PATH}?${new URLSearchParams({ date })}">Download all as CSV</a></p>`;
}

/** A class, and those of its parts that are not empty. */
function classRows(date: string, name: ClassName, group: Group) {
  // Occurrences of erased users cannot be listed.
  const isListed = name !== 'erased';
  const numberOf = (className: string, value: number) =>
    isListed ? linked(date, className, value) : count(value);
  return [
    [name, numberOf(name, totalOf(group)), CLASSES[name]],
    ...partsOf(group).map(([part, value]) => [
      html`<span class="part">${name}.${part}</span>`,
      numberOf(`${name}.${part}`, value),
      partInWords(part),
    ]),
  ];
}

function partsOf(group: Group): (readonly [string, number])[] {
  if (typeof group === 'number') return [];
  const { total: _total, byReason, ...parts } = group;
  return Object.entries((byReason ?? parts) as Readonly<Record<string, number>>).filter(
    ([, value]) => value > 0,
  );
}

function totalOf(group: Group): number {
  return typeof group === 'number' ? group : group.total;
}

function classNames(): ClassName[] {
  return Object.keys(CLASSES) as ClassName[];
}

function typeRow(date: string, ofType: Audit['types'][number]) {
  const { type, unaccounted, due } = ofType;
  const name = html`<a href="${listOf({ date, occasionType: type })}">${type}</a>`;
  const counts = [unaccounted, due, ...classNames().map((each) => totalOf(ofType[each]))];
  return [name, ...counts.map(count)];
}

function linked(date: string, className: string, value: number): Html | string {
  if (value === 0) return '0';
  return html`<a href="${listOf({ date, class: className })}">${count(value)}</a>`;
}

function listOf(query: Readonly<Record<string, string>>): string {
  return `${LIST_PATH}?${new URLSearchParams(query)}`;
}

function meaning(className: string): Html {
  const [name = '', part] = className.split('.');
  const words = part === undefined ? { ...CLASSES, ...WRONG }[name] : partInWords(part);
  return words === undefined ? html`` : html`<p>${words}</p>`;
}

function list({ occurrences }: ListPage<Audited>, caption: string, visitor: Visitor): Html {
  if (occurrences.length === 0) return html`<p>There is none.</p>`;
  return table({
    label: 'Occurrences',
    caption: `${caption}, in the order of users`,
    columns: ['Occurrence', 'Who', 'Class', 'Due', 'Zone', { number: 'Attempts' }],
    rows: occurrences.map((item) => [
      occurrenceLink(item.key),
      person(item, visitor),
      item.class,
      item.dueAt === null ? '–' : time(item.dueAt),
      item.timezone,
      count(item.attempts),
    ]),
  });
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
