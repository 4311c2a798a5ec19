/** Adding, changing and ending an occasion of a person. */
import { randomUUID } from 'node:crypto';

import type { Context } from 'hono';
import { html } from 'hono/html';

import { requireScope } from '../access.ts';
import { path } from '../api-client.ts';
import type { Occasion } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps } from '../env.ts';
import { type Field, field, type FormState, type FormValues, otherFaults } from '../form.ts';
import { csrfField, type Html, sendPage } from '../layout.ts';
import { redirectWith } from '../notice.ts';
import { PageError } from '../page-error.ts';
import { personPath } from './person.ts';
import { refusalWords } from './person-changes.ts';

type Ctx = Context<ConsoleEnv, '/people/:id/occasions/:occasion'>;

const TYPE: Field = {
  name: 'type',
  label: 'Type',
  required: true,
  maxlength: 40,
  hint: 'anniversary, birthday-reminder, reminder, subscription, or a name of your own; it stays.',
};

const FIELDS: readonly Field[] = [
  {
    name: 'date',
    label: 'Date',
    type: 'date',
    hint: 'The first day. Empty for a birthday-reminder, which follows the date of birth.',
  },
  {
    name: 'recurrence',
    label: 'Recurrence',
    options: ['once', 'daily', 'weekly', 'monthly', 'yearly', ''].map((value) => ({
      value,
      name: value === '' ? 'by the rule below' : value,
    })),
  },
  {
    name: 'rrule',
    label: 'Rule',
    maxlength: 500,
    hint: 'Of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR; only without a recurrence.',
  },
  {
    name: 'offsetDays',
    label: 'Days of notice',
    type: 'number',
    hint: 'Due so many days before.',
  },
  { name: 'externalId', label: 'External id', maxlength: 200, hint: 'Your own id; may be empty.' },
  {
    name: 'suspended',
    label: 'Suspended',
    options: [
      { value: 'false', name: 'no' },
      { value: 'true', name: 'yes: what falls due meanwhile is skipped' },
    ],
  },
  { name: 'suspendedReason', label: 'Reason of the suspension', maxlength: 200 },
];

export function registerOccasions(app: ConsoleApp, { api }: PageDeps): void {
  const load = async (c: Ctx) => {
    const { body, headers } = await api.send<Occasion>(c, 'GET', occasionRoute(c));
    return { occasion: body, etag: headers.get('ETag') ?? '' };
  };

  app.get('/people/:id/occasions/new', (c) => {
    requireScope(c.get('visitor'), 'users:write');
    return newForm(c, randomUUID(), {
      values: { type: 'reminder', recurrence: 'yearly', offsetDays: '0', suspended: 'false' },
      faults: [],
    });
  });

  app.post('/people/:id/occasions/new', async (c) => {
    const { idempotencyKey = '', ...given } = await c.req.parseBody<Record<string, string>>();
    const body = { type: given['type'] ?? '', ...bodyOf(given) };
    const headers = { 'Idempotency-Key': idempotencyKey };
    try {
      await api.send(c, 'POST', path`/v1/users/${c.req.param('id')}/occasions`, { body, headers });
    } catch (error) {
      if (!(error instanceof PageError) || ![400, 409].includes(error.status)) throw error;
      // Refused input has not used up the key.
      return newForm(c, idempotencyKey, { values: given, faults: error.faults }, error);
    }
    return redirectWith(c, 'Added. Its first occurrence is planned in a moment.', personOf(c));
  });

  app.get('/people/:id/occasions/:occasion', async (c) => {
    requireScope(c.get('visitor'), 'users:write');
    const { occasion, etag } = await load(c);
    return editForm(c, etag, { values: valuesOf(occasion), faults: [] });
  });

  app.post('/people/:id/occasions/:occasion', async (c) => {
    const { etag = '', ...given } = await c.req.parseBody<Record<string, string>>();
    const headers = { 'If-Match': etag };
    try {
      await api.send(c, 'PATCH', occasionRoute(c), { body: bodyOf(given), headers });
    } catch (error) {
      if (!(error instanceof PageError) || ![400, 409, 412].includes(error.status)) throw error;
      const { faults } = error;
      if (error.status !== 412) return editForm(c, etag, { values: given, faults }, error);
      const now = await load(c);
      return editForm(c, now.etag, { values: given, faults, now: valuesOf(now.occasion) }, error);
    }
    return redirectWith(c, 'Saved. Future occurrences are planned again in a moment.', personOf(c));
  });

  app.get('/people/:id/occasions/:occasion/end', async (c) => {
    requireScope(c.get('visitor'), 'users:write');
    const { occasion, etag } = await load(c);
    return sendPage(c, {
      title: `End ${occasion.type}?`,
      body: html`<ul>
          <li>
            The occasion ${occasion.externalId ?? occasion.id}, ${occasion.type} of
            ${occasion.date ?? 'the date of birth'}, is deleted, and nothing more is sent for it.
          </li>
          <li>What was sent stays in the person's occurrences.</li>
          <li>It cannot be undone. To stop for a while, suspend it instead.</li>
        </ul>
        <form method="post" action="${ownPath(c)}/end" class="row">
          ${csrfField(c.get('visitor'))}<input type="hidden" name="etag" value="${etag}" />
          <button class="danger">End it</button>
          <a class="button" href="${personOf(c)}">Keep</a>
        </form>`,
    });
  });

  app.post('/people/:id/occasions/:occasion/end', async (c) => {
    const { etag = '' } = await c.req.parseBody<Record<string, string>>();
    const headers = { 'If-Match': etag };
    try {
      await api.send(c, 'DELETE', occasionRoute(c), { headers });
    } catch (error) {
      if (!(error instanceof PageError) || error.status !== 412) throw error;
      const { occasion } = await load(c);
      throw new PageError(
        412,
        'The occasion has changed since the page was loaded',
        `Nothing was changed. Now: ${occasion.type} of ${occasion.date ?? 'the date of birth'}, ${occasion.recurrence ?? occasion.rrule}, ${occasion.status}, revision ${occasion.revision}.`,
      );
    }
    return redirectWith(c, 'Ended. Nothing more is sent for it.', personOf(c));
  });
}

const personOf = (c: Context<ConsoleEnv, '/people/:id'>): string => personPath(c.req.param('id'));
const ownPath = (c: Ctx): string =>
  `${personPath(c.req.param('id'))}${path`/occasions/${c.req.param('occasion')}`}`;
const occasionRoute = (c: Ctx): string =>
  path`/v1/users/${c.req.param('id')}/occasions/${c.req.param('occasion')}`;

function valuesOf(occasion: Occasion): FormValues {
  return Object.fromEntries(
    FIELDS.map(({ name }) => [name, String(occasion[name as keyof Occasion] ?? '')]),
  );
}

/** Empty becomes null, except for the reason of a suspension that does not exist. */
function bodyOf(given: FormValues) {
  const text = (name: string): string | null => given[name]?.trim() || null;
  const suspended = given['suspended'] === 'true';
  return {
    date: text('date'),
    recurrence: text('recurrence'),
    rrule: text('rrule'),
    offsetDays: Number(given['offsetDays'] || 0),
    externalId: text('externalId'),
    suspended,
    ...(suspended && { suspendedReason: text('suspendedReason') }),
  };
}

function newForm(
  c: Context<ConsoleEnv, '/people/:id'>,
  idempotencyKey: string,
  state: FormState,
  refusal?: PageError,
) {
  const fields = [TYPE, ...FIELDS];
  return sendPage(c, {
    title: 'Add an occasion',
    status: refusal?.status ?? 200,
    body: html`${refusal === undefined ? '' : refusalWords(refusal)} ${otherFaults(state, fields)}
      <form method="post" action="${personOf(c)}/occasions/new" class="narrow">
        ${csrfField(c.get('visitor'))}
        <input type="hidden" name="idempotencyKey" value="${idempotencyKey}" />
        ${fields.map((one) => field(one, state))}
        <p class="hint">What was due before it is added is not sent.</p>
        <button>Add</button>
      </form>
      ${back(personOf(c))}`,
  });
}

function editForm(c: Ctx, etag: string, state: FormState, refusal?: PageError) {
  return sendPage(c, {
    title: 'Change an occasion',
    status: refusal?.status ?? 200,
    body: html`${refusal === undefined ? '' : refusalWords(refusal)} ${otherFaults(state, FIELDS)}
      <form method="post" action="${ownPath(c)}" class="narrow">
        ${csrfField(c.get('visitor'))}<input type="hidden" name="etag" value="${etag}" />
        ${FIELDS.map((one) => field(one, state))}
        <button>Save</button>
      </form>
      <p><a class="button" href="${ownPath(c)}/end">End this occasion…</a></p>
      ${back(personOf(c))}`,
  });
}

function back(to: string): Html {
  return html`<p><a href="${to}">Back without saving</a></p>`;
}
