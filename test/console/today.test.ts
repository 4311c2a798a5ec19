/** The first page of the console: the current state. */
import { expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { visitConsole } from '../support/console.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const api = useTestApi({
  lastAudit: () => [
    { date: '2026-05-19', auditedAt: '2026-05-20T07:00:00.000Z', due: 12, unaccounted: 3 },
  ],
});

const HOSTILE = '<script>alert(1)</script>';

test('shows what is wrong and what to do, the progress of the day, and how late the last peak was', async () => {
  const visitor = visitConsole(api.app);
  const dueAt = new Date(Date.now() - 60_000).toISOString();
  await plantOccurrence(api.sql, {
    state: 'COMPLETED',
    due_at: dueAt,
    delivered_at: dueAt,
    lateness_ms: 1_500,
    timezone: HOSTILE,
  });
  await api.send('POST', '/v1/deliveries/pause', { reason: HOSTILE });
  const page = await visitor.open('http://localhost/console');
  expect(page.status).toBe(200);
  expect(page.text).toContain('3 of the occurrences due on 2026-05-19 are unaccounted for.');
  expect(page.text).toContain(`Deliveries to default are paused: ${HOSTILE}. Resume them`);
  expect(page.text).toContain('No dispatcher sends to default');
  expect(page.text).toContain('The last one: 1 occurrence at');
  expect(page.text).toMatch(/Lateness, p99 1\.50 s/);
  expect(page.html).toContain('<svg');
  expect(page.html).not.toContain(HOSTILE);
  // Nothing is due now: it need not refresh often.
  expect(page.html).toContain('data-live="10000"');
});

test('refreshes more often while something is being sent, and leads to the audit of the day', async () => {
  const visitor = visitConsole(api.app);
  await plantOccurrence(api.sql, { due_at: new Date(Date.now() - 1_000).toISOString() });
  const open = async () => (await visitor.open('/console')).html;
  await expect.poll(open, { timeout: 30_000 }).toContain('data-live="2000"');
  await expect.poll(open, { timeout: 30_000 }).toContain('1 still to be delivered');
  const { text } = await visitor.open('/console');
  expect(text).toMatch(/Audit \d{4}-\d\d-\d\d now/);
  // Open pages would fill the log.
  expect(api.logged.filter(({ route }) => route === '/v1/status')).toEqual([]);
});
