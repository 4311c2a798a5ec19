/** A file of users sent by a browser, with and without the console's script. */
import { readFile } from 'node:fs/promises';

import type { Page } from 'playwright-core';
import { expect, test, type TestContext } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { useBrowser, watchPage } from '../support/browser.ts';

const openBrowser = useBrowser();

const ROWS = [
  'externalId,firstName,lastName,dateOfBirth,timezone',
  'crm-1,Ada,Lovelace,1990-12-10,Europe/London',
  'crm-2,Grace,Hopper,1990-13-09,America/New_York',
];
const FILE = { name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(ROWS.join('\n')) };

async function openImport(context: TestContext, hasScript: boolean) {
  const api = await createTestApi();
  const server = await listen(
    { fetch: (request, env) => api.app.fetch(request, env as never) },
    { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 },
  );
  context.onTestFinished(async () => {
    await server.stop();
    await api.database.drop();
  });
  const browser = await openBrowser(context);
  const page = await (await browser.newContext({ javaScriptEnabled: hasScript })).newPage();
  const faults = watchPage(page, server.url);
  await page.goto(`${server.url}/console/import`);
  await page.getByLabel('File', { exact: true }).setInputFiles(FILE);
  return { api, page, faults };
}

const send = (page: Page) => page.getByRole('button', { name: 'Send' }).click();
const users = ({ sql }: Pick<TestApi, 'sql'>) => sql('select 1 from users.users');

test('with the script, the file stays chosen between the check and the import, and refused rows can be downloaded', async (context) => {
  const { api, page, faults } = await openImport(context, true);
  await send(page);
  await page.getByRole('heading', { name: 'Checked: nothing was stored' }).waitFor();
  expect(await users(api)).toEqual([]);
  const link = page.getByRole('link', { name: 'Download them' });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  expect(download.suggestedFilename()).toBe('refused-people.csv');
  const refused = await readFile(await download.path(), 'utf8');
  expect(refused).toContain(`",${ROWS[2]}\r\n`);

  await page.getByLabel('Import: create and update users').check();
  await send(page);
  await page.getByRole('heading', { name: 'Imported (1 row refused)' }).waitFor();
  expect(await users(api)).toHaveLength(1);
  expect(faults).toEqual({ elsewhere: [], complaints: [] });
});

test('without the script, a page shows the result, and can be reloaded', async (context) => {
  const { api, page, faults } = await openImport(context, false);
  await page.getByLabel('Import: create and update users').check();
  await send(page);
  await page.waitForURL('**/console/import/results/*');
  const heading = page.getByRole('heading', { name: 'Imported (1 row refused)' });
  await heading.waitFor();
  await page.reload();
  await heading.waitFor();
  expect(await users(api)).toHaveLength(1);
  const imports = await api.sql(`select 1 from events.operator_log where action = 'importUsers'`);
  expect(imports).toHaveLength(1);
  await page.goBack();
  await page.getByRole('button', { name: 'Send' }).waitFor();
  expect(faults).toEqual({ elsewhere: [], complaints: [] });
});
