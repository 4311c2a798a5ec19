/** The operator log as a page. */
import { beforeEach, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';
import { visitConsole } from '../support/console.ts';

const PAGE = 'http://localhost/console/log';
const api = useTestApi();
beforeEach(() => api.sql('truncate events.operator_log'));

test('shows who changed what, the latest first, with links to the subjects', async () => {
  const { body: user } = await api.send('POST', '/v1/users', ADA);
  await api.send('POST', '/v1/deliveries/pause', { reason: '<script>alert(1)</script>' });
  await api.send('POST', `/v1/occurrences/birthday:${user.id}:2026/redeliver`);
  await api.sql(`update events.operator_log set subject = ? where action = 'redeliverOccurrence'`, [
    user.id,
  ]);
  const page = await visitConsole(api.app).open(PAGE);
  expect(page.text).toMatch(/no key by the API Sent again .* refused \(404\)/);
  expect(page.text).toMatch(/Paused deliveries reason: <script>alert\(1\)<\/script>; .* done/);
  expect(page.html).not.toContain('<script>alert');
  expect(page.html).toContain(`href="/console/people/${user.id}"`);
});

test('can be filtered by subject and by actor, and has pages', async () => {
  await api.sql(
    `insert into events.operator_log (actor, via, action, subject, outcome)
     select 'ops', 'console', 'testWebhook', 'crm', 200 from generate_series(1, 60)`,
  );
  await api.send('POST', '/v1/deliveries/pause');
  const visitor = visitConsole(api.app);
  const filtered = await visitor.open(`${PAGE}?subject=crm&actor=ops`);
  expect(filtered.html).toContain('value="crm"');
  expect(filtered.text).not.toContain('Paused deliveries');
  const [, next = ''] = /href="([^"]+)" rel="next"/.exec(filtered.html) ?? [];
  const last = await visitor.open(next.replaceAll('&amp;', '&'));
  expect(last.text.match(/Sent a test event/g)).toHaveLength(10);
  expect(last.html).not.toContain('rel="next"');
  expect((await visitor.open(`${PAGE}?subject=nothing`)).text).toContain('Nothing.');
});

test('with a filter out of range says so', async () => {
  const page = await visitConsole(api.app).open(`${PAGE}?cursor=yesterday`);
  expect(page.status).toBe(400);
  expect(page.text).toContain('cursor must be a nextCursor');
});
