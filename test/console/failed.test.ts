/** Failures as an operator finds them and sends them again. */
import { beforeEach, describe, expect, test } from 'vitest';

import { hashToken } from '../../src/access/bearer.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { type ConsolePage, type ConsoleVisitor, visitConsole } from '../support/console.ts';
import { createEventRows } from '../support/event-rows.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const PAGE = 'http://localhost/console/failed';
const HOUR = 3_600_000;
const SCRIPT = '<script>alert(1)</script>';

const api = useTestApi();
let visitor: ConsoleVisitor;
beforeEach(async () => {
  visitor = visitConsole(api.app);
  await api.sql('truncate events.occurrences, users.users cascade');
});

interface Failed {
  readonly status?: number;
  /** Ms after its due instant. */
  readonly ago?: number;
  readonly [column: string]: unknown;
}

async function failed({ status = 400, ago = 2 * HOUR, ...columns }: Failed = {}, to = api) {
  const { addUser } = createEventRows(to.database.orm);
  const due_at = new Date(Date.now() - ago);
  const key = await plantOccurrence(to.sql, {
    user_id: await addUser({ firstName: SCRIPT }),
    state: 'FAILED',
    due_at,
    settled_at: new Date(Date.now() - HOUR),
    ...columns,
  });
  await plantAttempt(to.sql, key, { outcome: 'give_up', status });
  return key;
}

/** Follows the first link to an address like this. */
async function follow(page: ConsolePage, address: RegExp): Promise<ConsolePage> {
  const links = [...page.html.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => link);
  const link = links.find((one) => address.test(one));
  if (link === undefined) throw new Error(`no link like ${address} among ${links.join(' ')}`);
  return visitor.open(link.replaceAll('&amp;', '&'));
}

const stateOf = async (key: string) =>
  (await api.send('GET', `/v1/occurrences/${key}`)).body.status;

describe('the groups', () => {
  test('are by reason and answer, and can be limited to a window, a destination and a type', async () => {
    await failed();
    await failed({ redeliveries: 1 });
    await failed({ status: 404, destination: 'crm' });
    await failed({ ago: 40 * 24 * HOUR });
    const page = await visitor.open(PAGE);
    expect(page.text).toContain('3 occurrences failed.');
    expect(page.text).toMatch(/FAILED, due from .* to .* of all types, to all destinations/);
    expect(page.text).toMatch(/refused it for good HTTP 400 2 1 /);
    expect((await visitor.open(`${PAGE}?days=90`)).text).toContain('4 occurrences failed.');
    expect((await visitor.open(`${PAGE}?destination=crm`)).text).toContain('1 occurrence failed.');
    expect((await visitor.open(`${PAGE}?occasionType=renewal`)).text).toContain('None: FAILED');
  });

  test('of an unknown reason are empty', async () => {
    const page = await visitor.open(`${PAGE}/list?reason=constructor`);
    expect(page.text).toContain('because constructor None.');
  });

  test.for(['days=0', 'days=x', 'occasionType=A', 'from=yesterday&to=x'])(
    'with %s say what is wrong',
    async (query) => {
      const page = await visitor.open(`${PAGE}?${query}`);
      expect(page.status).toBe(400);
      expect(page.text).toMatch(/must be/);
    },
  );
});

describe('sending again', () => {
  test('a whole group comes after its count, and does not include what fails meanwhile', async () => {
    const [first, other] = [await failed(), await failed({ status: 404 })];
    const page = await follow(await visitor.open(PAGE), /failed\/resend.*answer=400/);
    expect(page.text).toMatch(/refused it for good, last answer: HTTP 400: 1 occurrence \./);
    const later = await failed({ settled_at: new Date(Date.now() + HOUR) });
    const progress = await visitor.submit(page, '/console/failed/resend');
    expect(progress.path).toMatch(/^\/console\/failed\/resent\//);
    expect(progress.text).toMatch(/1 occurrence sent again from .* on: 0 are settled/);
    expect(progress.html).toContain('data-live=');
    expect(await Promise.all([first, other, later].map(stateOf))).toEqual([
      'PENDING',
      'FAILED',
      'FAILED',
    ]);

    const twice = await visitor.submit(page, '/console/failed/resend');
    expect(twice.path).toBe(progress.path);
    await api.sql(
      `update events.occurrences set state = 'COMPLETED', next_attempt_at = null, settled_at = now(),
         delivered_at = now(), lateness_ms = 1 where key = ?`,
      [first],
    );
    const over = await visitor.open(progress.path);
    expect(over.text).toContain('all are settled');
    expect(over.text).toMatch(/Delivered 1 Failed again 0/);
    expect(over.html).not.toContain('data-live=');
  });

  test('all of a filter leaves out what was deliberately not sent, and says so', async () => {
    await failed();
    await failed({ reason: 'superseded' });
    const page = await follow(await visitor.open(PAGE), /failed\/resend(?!.*reason=)/);
    expect(page.text).toMatch(/to all destinations: 1 occurrence \./);
    expect(page.text).toContain('the next occurrence fell due;');
  });

  test('a selection leaves out what has changed since, and shows its current state', async () => {
    const [first, second] = [await failed(), await failed()];
    const list = await follow(await visitor.open(PAGE), /failed\/list/);
    expect(list.text).toContain(SCRIPT);
    expect(list.html).not.toContain(SCRIPT);
    const [, settledBy = ''] = /name="settledBy" value="([^"]+)"/.exec(list.html) ?? [];
    await api.sql(
      `update events.occurrences set settled_at = now() + interval '1 hour', attempts = 4 where key = ?`,
      [second],
    );
    const chosen = new URLSearchParams([
      ['settledBy', settledBy],
      ['key', first],
      ['key', second],
    ]);
    const page = await visitor.open(`${PAGE}/resend?${chosen}`);
    expect(page.text).toContain('1 occurrence of the 2 selected.');
    expect(page.text).toContain('is FAILED now, after 4 attempts');
    await visitor.submit(page, '/console/failed/resend');
    expect(await Promise.all([first, second].map(stateOf))).toEqual(['PENDING', 'FAILED']);
  });

  test('a selection with a reason that must be named includes it; without the name, it says why not', async () => {
    const key = await failed({ reason: 'superseded' });
    const list = await follow(await visitor.open(PAGE), /failed\/list.*reason=superseded/);
    const form = /<form method="get"[^>]*>(.*?)<\/form>/s.exec(list.html)?.[1] ?? '';
    const hidden = form.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g);
    const sent = new URLSearchParams({ key });
    for (const [, name = '', value = ''] of hidden) sent.set(name, value);
    const page = await visitor.open(`${PAGE}/resend?${sent}`);
    expect(page.text).toContain('1 occurrence of the 1 selected.');
    sent.delete('reason');
    const without = await visitor.open(`${PAGE}/resend?${sent}`);
    expect(without.text).toContain(
      '0 occurrences of the 1 selected. Without what was not to be sent',
    );
    await visitor.submit(page, '/console/failed/resend');
    expect(await stateOf(key)).toBe('PENDING');
  });

  test('nothing, and an empty progress, are reported in a sentence', async () => {
    const none = await visitor.open(`${PAGE}/resend?settledBy=2027-01-01T00:00:00Z`);
    expect(none.status).toBe(400);
    expect(none.text).toContain('Nothing is selected');
    const unknown = await visitor.open(`${PAGE}/resent/0198f6a2-6c1e-4f5b-9d53-0a4b6c8d7e9f`);
    expect(unknown.text).toContain('There is no progress to show');
  });

  test('is not offered to a key that may only read, and names are not shown to it', async () => {
    const apiKeys = [
      { name: 'reader', scopes: ['deliveries:read'] as const, sha256: hashToken('reader') },
    ];
    const keyed = await createTestApi({ apiKeys });
    await failed({}, keyed);
    visitor = visitConsole(keyed.app);
    const form = await visitor.open('/console/sign-in?next=/console/failed');
    const page = await visitor.submit(form, '/console/sign-in', { key: 'reader' });
    expect(page.text).toContain('1 occurrence failed.');
    expect(page.html).not.toContain('/failed/resend');
    const list = await follow(page, /failed\/list/);
    expect(list.text).not.toContain(SCRIPT);
    expect(list.html).not.toContain('type="checkbox"');
    expect((await visitor.open('/console/failed/resend')).status).toBe(403);
    await keyed.database.drop();
  });
});
