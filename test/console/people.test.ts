/** People, and a single person, as support sees and changes them. */
import { randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { type ApiKey, type Scope } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import { ADA, createTestApi, type TestApi, useTestApi } from '../support/api.ts';
import { type ConsoleVisitor, visitConsole } from '../support/console.ts';
import { createEventRows } from '../support/event-rows.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const HOME = 'http://localhost/console';
const SCRIPT = '<script>alert(1)</script>';

const api = useTestApi({ temporalUi: 'http://127.0.0.1:8233/namespaces/default/workflows/' });
let visitor: ConsoleVisitor;
beforeEach(async () => {
  visitor = visitConsole(api.app);
  await api.sql('truncate events.occurrences, users.users cascade');
});

const create = async (fields: object = {}): Promise<string> =>
  (await api.send('POST', '/v1/users', { ...ADA, ...fields })).body.id;
const open = (path: string) => visitor.open(`${HOME}${path}`);
const read = async (id: string) => (await api.send('GET', `/v1/users/${id}`)).body;

describe('the search', () => {
  test('finds by part of a name in any case, and by external id', async () => {
    const id = await create({ externalId: 'crm-4711' });
    await create({ firstName: 'Grace', lastName: 'Hopper' });
    for (const q of ['love', 'ADA LOVE', 'crm-47']) {
      const page = await open(`/people?q=${encodeURIComponent(q)}`);
      expect(page.text).toContain(`Users whose name or external id begins with “${q}”`);
      expect(page.html).toContain(`href="/console/people/${id}"`);
      expect(page.text).not.toContain('Hopper');
    }
    expect((await open('/people?q=nobody')).text).toContain('“nobody”: none.');
    expect((await open('/people?q=%20')).text).toContain('All users, in order of creation');
  });

  test('has pages, and escapes names', async () => {
    await create({ firstName: SCRIPT });
    for (let added = 0; added < 50; added += 1) await create();
    // A page can be short while others write to the database server.
    const found = new Set<string>();
    let all = '';
    for (let next: string | undefined = '/people'; next !== undefined;) {
      const { html, text } = await open(next);
      expect(html).not.toContain(SCRIPT);
      all += text;
      for (const [, id = ''] of html.matchAll(/href="\/console\/people\/([^"]+)"/g)) found.add(id);
      next = /href="\/console([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(found.size).toBe(51);
    expect(all).toContain(SCRIPT);
    expect(all).toContain('and there are more');
    expect((await open('/people?cursor=x')).text).toContain('cursor must be a nextCursor');
  });
});

/** A person with a delivered birthday, one that waits for a retry, and one that was refused. */
async function withOccurrences(to: Pick<TestApi, 'sql' | 'database'> = api) {
  const id = await createEventRows(to.database.orm).addUser({
    dateOfBirth: ADA.dateOfBirth,
    timezone: ADA.timezone,
  });
  const plant = (columns: object) => plantOccurrence(to.sql, { user_id: id, ...columns });
  const retrying = await plant({
    nominal_date: '2026-12-10',
    next_attempt_at: new Date(Date.now() + 3_600_000),
    attempts: 1,
    first_attempt_at: '2026-05-20T07:00:00Z',
    priority: 1,
  });
  const failed = await plant({ nominal_date: '2025-12-10', state: 'FAILED', reason: 'refused' });
  await plantAttempt(to.sql, retrying, {
    outcome: 'retry',
    status: 503,
    response_excerpt: SCRIPT,
  });
  await plantAttempt(to.sql, failed, { outcome: 'give_up', status: 400 });
  return { id, retrying, failed };
}

describe('a person', () => {
  test('is explained: data, next occurrence, what was sent with each attempt, changes, workflow', async () => {
    const { id } = await withOccurrences();
    await api.send('PATCH', `/v1/users/${id}`, { timezone: 'Asia/Tokyo' });
    const page = await open(`/people/${id}`);
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/Date of birth 1990-12-10 Time zone Asia\/Tokyo \(there it is/);
    expect(page.html).toContain(
      `href="http://127.0.0.1:8233/namespaces/default/workflows/birthday%2F${id}"`,
    );
    expect(page.text).toContain('birthday of 2025-12-10: FAILED due 2026-05-20T07:00:00Z');
    expect(page.text).toContain('the receiver refused it for good');
    expect(page.text).toContain(`HTTP 503 retry ${SCRIPT}`);
    expect(page.html).not.toContain(SCRIPT);
    expect(page.text).toMatch(
      /time zone Europe\/London → Asia\/Tokyo .* from .*T09:00:00Z to .*T00:00:00Z/,
    );
  });

  test('that does not exist is reported in a sentence', async () => {
    for (const id of [randomUUID(), 'nobody', SCRIPT]) {
      const page = await open(`/people/${encodeURIComponent(id)}`);
      expect(page.status).toBe(404);
      expect(page.text).toContain('User not found');
    }
  });

  test('can be retried now, once; the second click shows the current state', async () => {
    const { id, retrying } = await withOccurrences();
    const page = await open(`/people/${id}`);
    const action = `/console/occurrences/${encodeURIComponent(retrying)}/retry`;
    const tried = await visitor.submit(page, action);
    expect(tried.path).toBe(`/console/people/${id}`);
    expect(tried.text).toContain('The next attempt is being made now.');
    expect(tried.text).toContain('Tried again now');
    const again = await visitor.submit(page, action);
    expect(again.status).toBe(409);
    expect(again.text).toContain('It may be sent already: it is about to be.');
  });

  test('can be sent again what failed, but not what has ended again since', async () => {
    const { id, failed } = await withOccurrences();
    const page = await open(`/people/${id}`);
    const action = `/console/occurrences/${encodeURIComponent(failed)}/redeliver`;
    await api.sql(`update events.occurrences set settled_at = now(), attempts = 2 where key = ?`, [
      failed,
    ]);
    const refused = await visitor.submit(page, action);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('It is FAILED (refused) now, after 2 attempts.');
    const sent = await visitor.submit(await open(`/people/${id}`), action);
    expect(sent.text).toContain('It is being sent again.');
    const one = await open(`/occurrences/${encodeURIComponent(failed)}`);
    expect(one.text).toContain('Sent again on request 1 times');
    expect(one.text).toMatch(/Sent again .* done/);
    expect((await open(`/occurrences/birthday:${randomUUID()}:2026`)).status).toBe(404);
  });

  test('can be edited; faults stand beside their fields', async () => {
    const id = await create();
    const form = await open(`/people/${id}/edit`);
    const wrong = { firstName: '', timezone: 'Europe/Berlni', dateOfBirth: '1990-12-10' };
    const refused = await visitor.submit(form, `/console/people/${id}/edit`, wrong);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('First name must not be blank');
    expect(refused.text).toMatch(/Time zone must be an IANA time zone .* nearest: Europe\/Berlin/);
    const right = { ...wrong, firstName: SCRIPT, timezone: 'Europe/Berlin', externalId: '' };
    const saved = await visitor.submit(refused, `/console/people/${id}/edit`, right);
    expect(saved.path).toBe(`/console/people/${id}`);
    expect(await read(id)).toMatchObject({ firstName: SCRIPT, externalId: null });
    expect(saved.html).not.toContain(SCRIPT);
    expect(saved.text).toContain('Changed a user');
  });

  test('that has changed since the form was loaded is not overwritten unnoticed', async () => {
    const id = await create();
    const form = await open(`/people/${id}/edit`);
    await api.send('PATCH', `/v1/users/${id}`, { lastName: 'King' });
    const mine = { firstName: 'Augusta', lastName: 'Lovelace' };
    const refused = await visitor.submit(form, `/console/people/${id}/edit`, mine);
    expect(refused.status).toBe(412);
    expect(refused.text).toContain('It has changed since the form was loaded');
    expect(refused.text).toContain('Now: King');
    expect(await read(id)).toMatchObject({ firstName: 'Ada', lastName: 'King' });
    await visitor.submit(refused, `/console/people/${id}/edit`, mine);
    expect(await read(id)).toMatchObject(mine);
  });

  test('can be suspended with a reason, and the suspension can be lifted', async () => {
    const id = await create();
    const page = await open(`/people/${id}`);
    const reason = { suspendedReason: 'opted out' };
    const suspended = await visitor.submit(page, `/console/people/${id}/suspend`, reason);
    expect(suspended.text).toContain('Suspended : opted out. Nothing is sent to this person.');
    const again = await visitor.submit(page, `/console/people/${id}/suspend`, reason);
    expect(again.status).toBe(412);
    expect(again.text).toContain('Now: Ada Lovelace, born 1990-12-10, Europe/London, suspended');
    await visitor.submit(suspended, `/console/people/${id}/lift`);
    expect(await read(id)).toMatchObject({ suspended: false });
  });

  test('can be deleted after a page that explains the consequences', async () => {
    const id = await create();
    const page = await open(`/people/${id}/delete`);
    expect(page.text).toContain('Delete Ada Lovelace?');
    expect(page.text).toContain('It cannot be undone.');
    const deleted = await visitor.submit(page, `/console/people/${id}/delete`);
    expect(deleted.path).toBe('/console/people');
    expect(deleted.text).toContain('Deleted. Nothing more is sent.');
    expect((await open(`/people/${id}`)).status).toBe(404);
    expect((await visitor.submit(page, `/console/people/${id}/delete`)).status).toBe(404);
  });

  test('has occasions that can be added once, changed and ended', async () => {
    const id = await create();
    const path = `/console/people/${id}/occasions`;
    const form = await open(`/people/${id}/occasions/new`);
    const values = { type: 'reminder', date: '2027-01-31', recurrence: '', rrule: 'FREQ=NEVER' };
    const refused = await visitor.submit(form, `${path}/new`, values);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('Rule must');
    const right = { ...values, recurrence: 'monthly', rrule: '', externalId: SCRIPT };
    await visitor.submit(refused, `${path}/new`, right);
    const added = await visitor.submit(refused, `${path}/new`, right);
    expect(added.html).not.toContain(SCRIPT);
    const { occasions } = (await api.send('GET', `/v1/users/${id}/occasions`)).body;
    expect(occasions).toMatchObject([{ type: 'reminder', recurrence: 'monthly' }]);

    const own = `${path}/${occasions[0].id}`;
    const edit = await visitor.open(`http://localhost${own}`);
    await api.send('PATCH', `/v1/users/${id}/occasions/${occasions[0].id}`, { offsetDays: 3 });
    const changed = { ...right, externalId: '', offsetDays: '7', suspended: 'true' };
    const stale = await visitor.submit(edit, own, changed);
    expect(stale.status).toBe(412);
    expect(stale.text).toContain('Now: 3');
    const saved = await visitor.submit(stale, own, { ...changed, suspendedReason: 'on hold' });
    expect(saved.text).toMatch(/2027-01-31, monthly, 7 days before suspended on hold/);

    const end = await visitor.open(`http://localhost${own}/end`);
    expect(end.text).toContain('What was sent stays');
    const ended = await visitor.submit(end, `${own}/end`);
    expect(ended.text).toContain('Ended. Nothing more is sent for it.');
    expect((await visitor.open(`http://localhost${own}`)).status).toBe(404);
  });
});

test('a key sees and is offered only what its scopes allow', async () => {
  const key = (name: string, scopes: readonly Scope[]): ApiKey => ({
    name,
    scopes,
    sha256: hashToken(name),
  });
  const keyed = await createTestApi({
    apiKeys: [key('names', ['users:read']), key('ops', ['deliveries:read', 'deliveries:write'])],
  });
  const { id, failed } = await withOccurrences(keyed);
  const signIn = async (name: string, next: string) => {
    const browser = visitConsole(keyed.app);
    const form = await browser.open(`/console/sign-in?next=${encodeURIComponent(next)}`);
    return browser.submit(form, '/console/sign-in', { key: name });
  };
  const names = await signIn('names', `/console/people/${id}`);
  expect(names.text).toContain('what was sent is not shown');
  expect(names.text).not.toContain('refused it for good');
  expect(names.html).not.toMatch(/action="\/console\/(?:people|occurrences)/);
  for (const form of ['edit', 'delete', 'occasions/new', 'occasions/x', 'occasions/x/end']) {
    const page = await signIn('names', `/console/people/${id}/${form}`);
    expect(page.text).toContain('This page requires the scope users:write.');
  }
  const ops = await signIn('ops', `/console/occurrences/${encodeURIComponent(failed)}`);
  expect(ops.text).toContain('Send again');
  expect(ops.html).not.toContain(`/console/people/${id}`);
  expect((await signIn('ops', '/console/people')).status).toBe(403);
  await keyed.sql(`insert into events.operator_log (via, action, subject) values ('api', 'x', ?)`, [
    id,
  ]);
  const log = await signIn('ops', '/console/log');
  expect(log.text).toContain(id);
  expect(log.html).not.toContain(`/console/people/${id}`);
  expect((await signIn('names', '/console')).path).toBe('/console/people');
  await keyed.database.drop();
});
