/** The audit of a day in the console, with lists behind its numbers. */
import { beforeAll, expect, test } from 'vitest';

import type { Scope } from '../../src/access/api-key.ts';
import { hashToken } from '../../src/access/bearer.ts';
import { ADA, createTestApi, useTestApi } from '../support/api.ts';
import { visitConsole } from '../support/console.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

/** The morning after Ada's birthday. */
const NOW = Date.UTC(2026, 11, 11, 9);
const HOSTILE = '<script>alert(1)</script>';
const FORMULA = '=1+1';
const DAY = '2026-12-10';
const LIST = `/console/audit/occurrences?date=${DAY}`;

const api = useTestApi({ clock: () => NOW });
const open = (path: string) => visitConsole(api.app).open(`http://localhost${path}`);

beforeAll(async () => {
  const ids: string[] = [];
  for (const firstName of ['Ada', HOSTILE, FORMULA]) {
    ids.push((await api.send('POST', '/v1/users', { ...ADA, firstName })).body.id);
  }
  await api.sql(`update users.history set valid_from = '2020-01-01Z'`);
  const ofTheDay = {
    nominal_date: DAY,
    due_at: '2026-12-10T09:00:00Z',
    date: ADA.dateOfBirth,
    timezone: ADA.timezone,
  };
  await plantOccurrence(api.sql, { ...ofTheDay, user_id: ids[1], state: 'COMPLETED' });
  await plantOccurrence(api.sql, { ...ofTheDay, user_id: ids[2], state: 'FAILED', reason: 'gone' });
});

test('asks for a day, and audits none before one is given', async () => {
  const page = await open('/console/audit');
  expect(page.html).toContain('type="date"');
  expect(page.text).not.toContain('due on');
});

test('what must be 0 comes first, then each class in words, with links to its list', async () => {
  const page = await open(`/console/audit?date=${DAY}`);
  expect(page.text).toContain(`3 occurrences due on ${DAY}. Something is wrong.`);
  expect(page.text).toMatch(/unaccounted 1 Fell due, and has no recorded outcome/);
  expect(page.text.indexOf('unaccounted 1')).toBeLessThan(page.text.indexOf('delivered 1'));
  expect(page.text).toMatch(/failed\.gone 1 The receiver said that it no longer exists \(410\)/);
  expect(page.html).toContain(`/console/audit/occurrences?date=${DAY}&amp;class=failed.gone`);

  const clean = await open('/console/audit?date=2026-12-09');
  expect(clean.text).toContain('0 occurrences due on 2026-12-09. All are accounted for.');
});

test('lists the occurrences behind a number, page by page, with names escaped', async () => {
  const delivered = await open(`${LIST}&class=delivered`);
  expect(delivered.text).toContain(`${HOSTILE} Lovelace`);
  expect(delivered.html).not.toContain(HOSTILE);
  const first = await open(`${LIST}&limit=1`);
  const next = /href="([^"]*cursor=[^"]*)"/.exec(first.html)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const second = await open(next);
  const keyOf = ({ text }: { text: string }) => /birthday:\S+/.exec(text)?.[0];
  expect(keyOf(second)).not.toBe(keyOf(first));
  expect((await open(`${LIST}&class=blocked`)).text).toContain('There is none.');
});

test('can be downloaded as CSV, in which nothing is a formula', async () => {
  const file = await open(`/console/audit/occurrences.csv?date=${DAY}`);
  expect(file.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(file.headers.get('content-disposition')).toBe(`attachment; filename="audit-${DAY}.csv"`);
  const [header, ...lines] = file.html.trimEnd().split('\r\n');
  expect(header).toBe(
    'class,key,occasionType,nominalDate,localDate,timezone,dueAt,attempts,userId,externalId,firstName,lastName',
  );
  expect(lines).toHaveLength(3);
  expect(file.html).toContain(`,'${FORMULA},Lovelace`);
});

test('an invalid day, and an unknown class, are pages that say so', async () => {
  for (const path of ['audit', 'audit/occurrences', 'audit/occurrences.csv']) {
    expect((await open(`/console/${path}?date=..`)).status).toBe(404);
  }
  for (const path of ['/console/audit?date=2026-02-30', `${LIST}&class=nonsense`]) {
    const page = await open(path);
    expect(page.status).toBe(400);
    expect(page.text).toMatch(/must be (a date of the calendar|one of delivered)/);
  }
  const file = await open(`/console/audit/occurrences.csv?date=2026-02-30`);
  expect(file.status).toBe(400);
  expect(file.html).toContain('must be a date of the calendar');
});

test('a key that may not read users sees ids instead of names, in the download too', async () => {
  const key = `daybell_${'k'.repeat(43)}`;
  const scopes: Scope[] = ['deliveries:read'];
  const other = await createTestApi({
    clock: () => NOW,
    apiKeys: [{ name: 'watch', scopes, sha256: hashToken(key) }],
  });
  try {
    await plantOccurrence(other.sql, {
      nominal_date: DAY,
      due_at: '2026-12-10T09:00:00Z',
      state: 'COMPLETED',
    });
    const visitor = visitConsole(other.app);
    const signIn = await visitor.open('/console/sign-in');
    await visitor.submit(signIn, '/console/sign-in', { key });
    const list = await visitor.open(`${LIST}&class=unexpected`);
    expect(list.status).toBe(200);
    expect(list.text).toMatch(/birthday:\S+ [\da-f-]{36} unexpected/);
    expect(list.html).not.toContain('/console/people/');
    const file = await visitor.open(`/console/audit/occurrences.csv?date=${DAY}`);
    expect(file.html).not.toContain('firstName');
  } finally {
    await other.database.drop();
  }
});
