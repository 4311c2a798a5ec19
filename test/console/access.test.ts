/** Who may use the console, and how long. */
import { beforeEach, describe, expect, test } from 'vitest';

import { hashToken } from '../../src/access/bearer.ts';
import type { ApiKey, Scope } from '../../src/access/api-key.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { type ConsoleVisitor, visitConsole } from '../support/console.ts';

const COOKIE = 'daybell_console';
const KEY = `daybell_${'k'.repeat(43)}`;

function keyOf(name: string, token: string, scopes: readonly Scope[]): ApiKey {
  return { name, scopes, sha256: hashToken(token) };
}

const support = keyOf('support', KEY, ['users:read', 'deliveries:read']);
const api = useTestApi({ apiKeys: [support] });
let visitor: ConsoleVisitor;

beforeEach(async () => {
  visitor = visitConsole(api.app);
  await api.sql('delete from events.console_sessions');
});

async function signIn(key = KEY, next = '') {
  const page = await visitor.open(`/console/sign-in${next}`);
  return visitor.submit(page, '/console/sign-in', { key });
}

describe('signing in', () => {
  test('is where every page leads without a session, and leads back to that page', async () => {
    const asked = await visitor.open('/console/people?q=Ada');
    expect(asked.path).toBe('/console/sign-in?next=%2Fconsole%2Fpeople%3Fq%3DAda');
    const page = await visitor.submit(asked, '/console/sign-in', { key: KEY });
    expect(page.path).toBe('/console/people?q=Ada');
    expect(page.text).toContain('support');
  });

  test.for([
    'https://elsewhere.example/',
    '//elsewhere.example',
    '/console.example',
    '/consolex',
    '/console/..//elsewhere.example',
  ])('never leads to %s', async (next) => {
    const page = await signIn(KEY, `?next=${encodeURIComponent(next)}`);
    expect(page.path).toBe('/console');
  });

  test('leads to a single address, whatever line breaks it contains', async () => {
    const next = '/console/people?q=Ada\r\nSet-Cookie: a=b';
    const page = await signIn(KEY, `?next=${encodeURIComponent(next)}`);
    expect(page.path).toBe('/console/people?q=AdaSet-Cookie:%20a=b');
  });

  test("ends the browser's previous session", async () => {
    await signIn();
    await signIn();
    expect(await api.sql('select 1 from events.console_sessions')).toHaveLength(1);
  });

  test('is refused with a key that is not in the settings', async () => {
    const page = await signIn(`daybell_${'x'.repeat(43)}`);
    expect(page.status).toBe(401);
    expect(page.text).toContain('This is not a key of API_KEYS');
    expect((await visitor.open('/console')).path).toContain('/sign-in');
  });

  test('is refused if the form comes from another site', async () => {
    const body = new URLSearchParams({ key: KEY });
    const page = await visitor.request('/console/sign-in', { method: 'POST', body });
    expect(page.status).toBe(403);
    expect(await api.sql('select 1 from events.console_sessions')).toEqual([]);
  });
});

describe('a session', () => {
  test('is a new token for the browser, inaccessible to scripts and to forms of other sites', async () => {
    await visitor.open('/console/sign-in');
    const before = visitor.cookies.get(COOKIE);
    await signIn();
    expect(visitor.cookies.get(COOKIE)).not.toBe(before);

    for (const proxies of ['https', 'https, http']) {
      const answer = await api.app.request('/console/sign-in', {
        headers: { 'X-Forwarded-Proto': proxies },
      });
      expect(answer.headers.get('set-cookie')).toMatch(
        /; Path=\/console; HttpOnly; Secure; SameSite=Lax/,
      );
    }
  });

  test('expires after twelve hours', async () => {
    await signIn();
    await api.sql(
      `update events.console_sessions set expires_at = expires_at - interval '12 hours'`,
    );
    expect((await visitor.open('/console')).path).toBe('/console/sign-in');
  });

  test('expires when the key is no longer in the settings, or is a different one of that name', async () => {
    for (const apiKeys of [
      [keyOf('other', KEY, ['users:read'])],
      [keyOf('support', `daybell_${'n'.repeat(43)}`, ['users:read'])],
    ]) {
      await signIn();
      const later = await createTestApi({ orm: api.database.orm, apiKeys });
      const moved = visitConsole(later.app);
      for (const cookie of visitor.cookies) moved.cookies.set(...cookie);
      expect((await moved.open('/console')).path).toBe('/console/sign-in');
      await later.database.drop();
    }
  });

  test('ends with the sign-out, even for a copied token', async () => {
    const page = await signIn();
    const copied = visitConsole(api.app);
    for (const cookie of visitor.cookies) copied.cookies.set(...cookie);
    await visitor.submit(page, '/console/sign-out');
    expect((await visitor.open('/console')).path).toBe('/console/sign-in');
    expect((await copied.open('/console')).path).toBe('/console/sign-in');
  });

  test('changes its token during use, without cutting off requests with the previous one', async () => {
    await signIn();
    const before = new Map(visitor.cookies);
    await api.sql(`update events.console_sessions set rotated_at = rotated_at - interval '1 hour'`);
    await visitor.open('/console/nothing');
    const rotated = visitor.cookies.get(COOKIE);
    expect(rotated).not.toBe(before.get(COOKIE));
    await visitor.open('/console/nothing');

    const underWay = visitConsole(api.app);
    for (const cookie of before) underWay.cookies.set(...cookie);
    expect((await underWay.open('/console/nothing')).status).toBe(404);
    // Nor does the previous token, which may be known to others, lead to the new one.
    expect(underWay.cookies.get(COOKIE)).toBe(before.get(COOKIE));
    await api.sql(
      `update events.console_sessions set rotated_at = rotated_at - interval '2 minutes'`,
    );
    expect((await underWay.open('/console/nothing')).path).toContain('/sign-in');
    expect((await visitor.open('/console/nothing')).status).toBe(404);
    expect(visitor.cookies.get(COOKIE)).toBe(rotated);
  });

  test('survives the loss of a response with the new token: the next request within a minute gets it', async () => {
    await signIn();
    const before = new Map(visitor.cookies);
    await api.sql(`update events.console_sessions set rotated_at = rotated_at - interval '1 hour'`);
    await visitor.open('/console/nothing');
    const lost = visitor.cookies.get(COOKIE);
    for (const cookie of before) visitor.cookies.set(...cookie);
    await visitor.open('/console/nothing');
    expect(visitor.cookies.get(COOKIE)).toBe(lost);
    await api.sql(
      `update events.console_sessions set rotated_at = rotated_at - interval '2 minutes'`,
    );
    expect((await visitor.open('/console/nothing')).status).toBe(404);
  });

  test('keeps its token over a form, whose response may take minutes', async () => {
    await signIn();
    const before = visitor.cookies.get(COOKIE);
    await api.sql(`update events.console_sessions set rotated_at = rotated_at - interval '1 hour'`);
    expect((await visitor.request('/console/import', { method: 'POST' })).status).toBe(403);
    expect(visitor.cookies.get(COOKIE)).toBe(before);
  });

  test('that expired meanwhile changes nothing, and says so', async () => {
    const page = await signIn();
    await api.sql('delete from events.console_sessions');
    const answer = await visitor.submit(page, '/console/sign-out');
    expect(answer.status).toBe(401);
    expect(answer.text).toContain('Your session has ended Nothing was changed.');
  });

  test("changes nothing for a form without its token, or with another session's", async () => {
    const page = await signIn();
    const other = visitConsole(api.app);
    const theirs = await other.submit(await other.open('/console/sign-in'), '/console/sign-in', {
      key: KEY,
    });
    expect((await visitor.request('/console/sign-out', { method: 'POST' })).status).toBe(403);
    expect((await visitor.submit(theirs, '/console/sign-out')).status).toBe(403);
    const body = new FormData();
    body.append('csrf', /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '');
    expect((await visitor.request('/console/sign-out', { method: 'POST', body })).status).toBe(403);
    expect((await visitor.submit(page, '/console/sign-out')).path).toBe('/console/sign-in');
  });
});

test('without configured keys, this machine needs no sign-in, and others are refused', async () => {
  const open = await createTestApi();
  const here = visitConsole(open.app);
  expect((await here.open('http://localhost/console/sign-in')).path).toBe('/console');
  expect((await here.open('http://localhost/console/nothing')).status).toBe(404);
  const elsewhere = await here.open('http://daybell.example/console');
  expect(elsewhere.status).toBe(403);
  expect(elsewhere.text).toContain('only this machine may use the console');
  const foreign = { headers: { Origin: 'https://elsewhere.example' } };
  expect((await here.request('http://localhost/console', foreign)).status).toBe(403);
  await open.database.drop();
});

test('a database that is down is reported in a sentence', async () => {
  const orm = await connectOrm('postgresql://127.0.0.1:1/nowhere');
  const broken = await createTestApi({ apiKeys: [support], orm });
  const page = await visitConsole(broken.app).request('/console', {
    headers: { Cookie: `${COOKIE}=x` },
  });
  expect(page.status).toBe(503);
  expect(page.text).toContain('The database is unavailable Nothing is lost');
  await orm.close(true);
  await broken.database.drop();
});

test('nothing is loaded from other hosts, and caches keep nothing but the assets', async () => {
  const page = await visitor.open('/console/sign-in');
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'self';/,
  );
  expect(page.headers.get('cache-control')).toBe('no-store');
  // Decides what a browser says about where its forms come from: `Origin: null` with no-referrer.
  expect(page.headers.get('referrer-policy')).toBe('same-origin');
  const [asset = ''] = /\/console\/assets\/console\.css\?v=[\w-]+/.exec(page.html) ?? [];
  const stylesheet = await visitor.open(asset);
  expect(stylesheet.headers.get('content-type')).toContain('text/css');
  expect(stylesheet.headers.get('cache-control')).toContain('immutable');
  expect((await visitor.open('/console/assets/other.css')).path).toContain('/sign-in');
});

test('attempts with wrong keys are limited in their rate, and lock out nobody who has a key', async () => {
  const form = await visitor.open('/console/sign-in');
  const statuses = [];
  for (let attempt = 0; attempt < 30; attempt += 1) {
    statuses.push((await visitor.submit(form, '/console/sign-in', { key: 'no' })).status);
  }
  expect(statuses).toContain(429);
  expect((await visitor.submit(form, '/console/sign-in', { key: KEY })).path).toBe('/console');
});
