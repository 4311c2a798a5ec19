/** Pages that refresh themselves, in a real browser. */
import type { Page } from 'playwright-core';
import { expect, test, type TestContext } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { createTestApi } from '../support/api.ts';
import { useBrowser, watchPage } from '../support/browser.ts';
import { visitConsole } from '../support/console.ts';
import { webhookTesterStub } from '../support/webhook-tester.ts';

const openBrowser = useBrowser();
const PATH = '/console/deliveries';
const LIVE_MS = 5_000;

/** The page of deliveries, with a clock that only the test moves. */
async function openPage(context: TestContext) {
  const api = await createTestApi({ webhookTesters: new Map([['default', webhookTesterStub()]]) });
  const server = await listen(
    { fetch: (request, env) => api.app.fetch(request, env as never) },
    { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 },
  );
  context.onTestFinished(async () => {
    await server.stop();
    await api.database.drop();
  });
  const page = await (await openBrowser(context)).newPage();
  const faults = watchPage(page, server.url);
  await page.clock.install();
  await page.goto(`${server.url}${PATH}`);
  const pause = async (reason: string) => {
    await api.sql(`update events.destinations set paused_at = now(), pause_reason = ?`, [reason]);
  };
  return { api, page, faults, pause };
}

const shows = (page: Page, text: string) => page.getByText(text).waitFor();

async function refresh(page: Page): Promise<void> {
  const refreshed = page.waitForResponse((response) => response.url().endsWith(PATH));
  await page.clock.runFor(LIVE_MS);
  await refreshed;
}

test('a live page shows what has changed, keeps the focus on a table, and keeps the input', async (context) => {
  const { page, faults, pause } = await openPage(context);
  const reason = page.getByLabel('Reason').first();
  await reason.fill('receiver is down');
  await reason.blur();
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await pause('maintenance');
  await page.clock.runFor(2 * LIVE_MS);
  expect(await reason.inputValue()).toBe('receiver is down');
  expect(requests).toEqual([]);

  await reason.fill('');
  await reason.blur();
  await refresh(page);
  await shows(page, 'maintenance');
  const log = page.getByRole('region', { name: 'Operator log' });
  expect(await log.count()).toBe(0);
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await log.focus();
  await pause('an outage');
  await refresh(page);
  await shows(page, 'an outage');
  expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Operator log');
  expect(faults).toEqual({ elsewhere: [], complaints: [] });
});

test('a refusal does not replace a live page, which continues once it is over', async (context) => {
  const { page, pause } = await openPage(context);
  await page.route(`**${PATH}`, (route) =>
    route.fulfill({ status: 503, body: '<main>away</main>' }),
  );
  await refresh(page);
  await page.locator('main[data-stale]').waitFor();
  await shows(page, 'Send a test event');
  await page.unroute(`**${PATH}`);
  await pause('maintenance');
  await refresh(page);
  await shows(page, 'maintenance');
  expect(await page.locator('main[data-stale]').count()).toBe(0);
});

test('the notice of a change can be read for a minute, in the tab that made it', async (context) => {
  const { page, pause } = await openPage(context);
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await shows(page, 'Test event to default');
  await pause('maintenance');
  await refresh(page);
  await shows(page, 'maintenance');
  await shows(page, 'Test event to default');
  await page.clock.fastForward(60_000);
  await expect.poll(() => page.getByText('Test event to default').count()).toBe(0);
});

test('a script does not take a notice from the page that it is meant for', async () => {
  const { app, database } = await createTestApi();
  const visitor = visitConsole(app);
  const open = (headers: Record<string, string> = {}) =>
    visitor.request(`http://localhost${PATH}`, { headers });
  visitor.cookies.set('daybell_notice', 'Done.');
  expect((await open({ 'Sec-Fetch-Dest': 'empty' })).text).not.toContain('Done.');
  expect((await open({ 'Sec-Fetch-Dest': 'document' })).text).toContain('Done.');
  await database.drop();
});

test('a page has one line in the log, and none for each time that it refreshes itself', async () => {
  const { app, database, logged } = await createTestApi();
  const lines = async (headers: Record<string, string>) => {
    const before = logged.length;
    await visitConsole(app).request(`http://localhost${PATH}`, { headers });
    return logged.slice(before);
  };
  expect(await lines({ 'Sec-Fetch-Dest': 'document' })).toEqual([
    expect.objectContaining({ msg: 'request', route: PATH, status: 200 }),
  ]);
  expect(await lines({ 'Sec-Fetch-Dest': 'empty' })).toEqual([]);
  await database.drop();
});
