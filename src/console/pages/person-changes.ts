/** Changing a person: data, suspension, deletion. */
import type { Context } from 'hono';
import { html } from 'hono/html';

import { HOME, requireScope } from '../access.ts';
import { path } from '../api-client.ts';
import type { User } from '../api-types.ts';
import type { ConsoleApp, ConsoleEnv, PageDeps } from '../env.ts';
import { type Field, field, type FormState, type FormValues, otherFaults } from '../form.ts';
import { csrfField, sendPage } from '../layout.ts';
import { redirectWith } from '../notice.ts';
import { PageError } from '../page-error.ts';
import { personPath } from './person.ts';

type Ctx = Context<ConsoleEnv, '/people/:id/:action'>;

const FIELDS: readonly Field[] = [
  { name: 'firstName', label: 'First name', required: true, maxlength: 100 },
  { name: 'lastName', label: 'Last name', maxlength: 100, hint: 'May be empty.' },
  {
    name: 'dateOfBirth',
    label: 'Date of birth',
    type: 'date',
    required: true,
    hint: 'Another day moves the next birthday. One that was sent this year is not sent again.',
  },
  {
    name: 'timezone',
    label: 'Time zone',
    required: true,
    maxlength: 64,
    hint: 'An IANA name, such as Europe/Berlin. Future occurrences move with it; one that is due today, at a time that has passed there, is sent at once.',
  },
  {
    name: 'deliveryTime',
    label: 'Delivery time',
    type: 'time',
    hint: 'By the clocks of the zone; empty: the default of the occasion type or the installation.',
  },
  { name: 'externalId', label: 'External id', maxlength: 200, hint: 'Your own id; may be empty.' },
];
/** Empty becomes null. */
const OPTIONAL = new Set(['deliveryTime', 'externalId']);

export function registerPersonChanges(app: ConsoleApp, { api }: PageDeps): void {
  const load = async (c: Ctx) => {
    const { body, headers } = await api.send<User>(c, 'GET', userRoute(c));
    return { user: body, etag: headers.get('ETag') ?? '' };
  };
  const change = (c: Ctx, body: object, etag: string) =>
    api.send<User>(c, 'PATCH', userRoute(c), { body, headers: { 'If-Match': etag } });

  app.get('/people/:id/edit', async (c) => {
    requireScope(c.get('visitor'), 'users:write');
    const { user, etag } = await load(c);
    return editForm(c, user.id, etag, { values: valuesOf(user), faults: [] });
  });

  app.post('/people/:id/edit', async (c) => {
    const { etag = '', ...given } = await c.req.parseBody<Record<string, string>>();
    const body = Object.fromEntries(
      FIELDS.filter(({ name }) => given[name] !== undefined).map(({ name }) => {
        const value = given[name] ?? '';
        return [name, value === '' && OPTIONAL.has(name) ? null : value];
      }),
    );
    try {
      await change(c, body, etag);
    } catch (error) {
      if (!(error instanceof PageError) || ![400, 409, 412].includes(error.status)) throw error;
      const { faults } = error;
      const id = c.req.param('id');
      if (error.status !== 412) return editForm(c, id, etag, { values: given, faults }, error);
      const now = await load(c);
      const state = { values: given, faults, now: valuesOf(now.user) };
      return editForm(c, id, now.etag, state, error);
    }
    return redirectWith(c, 'Saved. Future occurrences are planned again in a moment.', ownPath(c));
  });

  app.post('/people/:id/suspend', async (c) => {
    const { etag = '', suspendedReason = '' } = await c.req.parseBody<Record<string, string>>();
    const reason = suspendedReason.trim() === '' ? null : suspendedReason;
    await change(c, { suspended: true, suspendedReason: reason }, etag).catch(nowInstead(c));
    return redirectWith(c, 'Suspended: nothing is sent to this person.', ownPath(c));
  });

  app.post('/people/:id/lift', async (c) => {
    const { etag = '' } = await c.req.parseBody<Record<string, string>>();
    await change(c, { suspended: false }, etag).catch(nowInstead(c));
    return redirectWith(c, 'The suspension is lifted.', ownPath(c));
  });

  app.get('/people/:id/delete', async (c) => {
    requireScope(c.get('visitor'), 'users:write');
    const { user, etag } = await load(c);
    const name = `${user.firstName} ${user.lastName}`.trim();
    return sendPage(c, {
      title: `Delete ${name}?`,
      body: html`<p>
          ${name}, born ${user.dateOfBirth}, ${user.timezone},
          ${user.externalId === null ? 'without an external id' : `external id ${user.externalId}`}.
        </p>
        <ul>
          <li>Nothing more is sent, of any occasion; what waits for a retry is not sent either.</li>
          <li>
            Names and external ids are gone at once, everything else but the bare count of what was
            sent within minutes, or after <code>ERASE_AFTER</code>.
          </li>
          <li>It cannot be undone. To stop for a while, suspend the person instead.</li>
        </ul>
        <form method="post" action="${personPath(user.id)}/delete" class="row">
          ${csrfField(c.get('visitor'))}<input type="hidden" name="etag" value="${etag}" />
          <button class="danger">Delete ${name}</button>
          <a class="button" href="${personPath(user.id)}">Keep</a>
        </form>`,
    });
  });

  app.post('/people/:id/delete', async (c) => {
    const { etag = '' } = await c.req.parseBody<Record<string, string>>();
    const headers = { 'If-Match': etag };
    await api.send(c, 'DELETE', userRoute(c), { headers }).catch(nowInstead(c));
    return redirectWith(c, 'Deleted. Nothing more is sent.', `${HOME}/people`);
  });

  /** A refusal because the person has changed since, with the current values. */
  function nowInstead(c: Ctx) {
    return async (error: unknown): Promise<never> => {
      if (!(error instanceof PageError) || error.status !== 412) throw error;
      const { user } = await load(c);
      const is = user.suspended
        ? `suspended (${user.suspendedReason ?? 'no reason given'})`
        : 'not suspended';
      throw new PageError(
        412,
        'The person has changed since the page was loaded',
        `Nothing was changed. Now: ${user.firstName} ${user.lastName}, born ${user.dateOfBirth}, ${user.timezone}, ${is}, revision ${user.revision}. Load the page of the person again.`,
      );
    };
  }
}

const userRoute = (c: Ctx): string => path`/v1/users/${c.req.param('id')}`;
const ownPath = (c: Ctx): string => personPath(c.req.param('id'));

function valuesOf(user: User): FormValues {
  return Object.fromEntries(
    FIELDS.map(({ name }) => [name, String(user[name as keyof User] ?? '')]),
  );
}

function editForm(c: Ctx, id: string, etag: string, state: FormState, refusal?: PageError) {
  return sendPage(c, {
    title: 'Edit a person',
    status: refusal?.status ?? 200,
    body: html`${refusal === undefined ? '' : refusalWords(refusal)} ${otherFaults(state, FIELDS)}
      <form method="post" action="${personPath(id)}/edit" class="narrow">
        ${csrfField(c.get('visitor'))}<input type="hidden" name="etag" value="${etag}" />
        ${FIELDS.map((one) => field(one, state))}
        <button>Save</button>
      </form>
      <p><a href="${personPath(id)}">Back without saving</a></p>`,
  });
}

/** Shown above a form that was refused. */
export function refusalWords({ status, message, advice }: PageError) {
  if (status !== 412) return html`<p class="error" role="alert">${message}. ${advice}</p>`;
  return html`<p class="error" role="alert">
    It has changed since the form was loaded, and nothing was saved. The differences are shown
    below; saving again puts what you typed in its place.
  </p>`;
}
