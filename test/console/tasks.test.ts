// @module-tag long
/** What people come to the console for, and every page, in a real browser, against everything that `npm start` runs. */
import { readFile } from 'node:fs/promises';

import { beforeAll, expect, test } from 'vitest';

import { useBrowser } from '../support/browser.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { withStatus } from '../support/webhook-receiver.ts';
import { faultsOfPages, live } from './every-page.ts';
import { type OperatedDaybell, signIn, useOperated } from './operated.ts';

const openBrowser = useBrowser();
const findOperated = useOperated();
beforeAll(findDevServerProgram, 25 * 60_000);

const HERD = 60;

/** Born so that they are greeted at an instant; returns the ids. */
async function createHerd(
  { send, instants }: OperatedDaybell,
  count: number,
  { timezone, ...names }: { timezone: string; firstName?: string; lastName?: string },
): Promise<string[]> {
  const ids: string[] = [];
  const { dateOfBirth } = instants;
  for (let at = 0; at < count; at += 1) {
    const user = { firstName: `Guest ${at}`, lastName: 'Herd', dateOfBirth, timezone, ...names };
    ids.push(String((await send('POST', '/v1/users', user))['id']));
  }
  return ids;
}

test(
  'support staff can do everything from sign-in to result using only the pages',
  { timeout: 600_000 },
  async (context) => {
    const browser = await openBrowser(context);
    const operated = await findOperated();
    const { receiver, instants, send } = operated;
    const { page, faults } = await signIn(browser, operated);
    const open = (name: string) =>
      page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
    const text = () => page.locator('main').innerText();
    const figure = (name: string) =>
      page.locator('.figures > div').filter({ hasText: name }).first().locator('dd').innerText();

    // Finding a person by part of a name, and when and why they are next greeted.
    const far = { timezone: 'Europe/Berlin', dateOfBirth: '1990-12-10' };
    await send('POST', '/v1/users', { firstName: 'Zoë', lastName: 'Quartermaine', ...far });
    await open('People');
    await page.getByLabel('Name or external id').pressSequentially('quarterm');
    await page.getByRole('link', { name: 'Zoë Quartermaine' }).click();
    await page.getByRole('heading', { name: 'Zoë Quartermaine' }).waitFor();
    await expect
      .poll(async () => (await page.reload(), text()), { timeout: 60_000 })
      .toMatch(/12-10/);
    expect(await text()).toContain('Europe/Berlin');
    expect(await page.getByRole('link', { name: /^birthday\// }).getAttribute('href')).toContain(
      '/workflows/birthday%2F',
    );

    // One whose greeting the receiver refuses, and a herd that is sent live.
    receiver.answer((response, { body }) => {
      withStatus(body.data.user.firstName === 'Refused' ? 400 : 200)(response);
    });
    const { timezone } = instants.next(40_000);
    await createHerd(operated, HERD, { timezone });
    const [refusedId = ''] = await createHerd(operated, 1, { timezone, firstName: 'Refused' });
    await open('Today');
    await expect.poll(() => figure('Still to come')).toBe(String(HERD + 1));
    // The page that showed them as still to come shows it by itself.
    await expect.poll(() => figure('Delivered on time'), { timeout: 150_000 }).toBe(String(HERD));
    await expect.poll(() => figure('Failed'), { timeout: 60_000 }).toBe('1');

    // Why it failed; and a redelivery, now that the receiver accepts it.
    await open('Failed');
    await page.getByRole('link', { name: 'Show', exact: true }).click();
    await page.getByRole('link', { name: 'Refused Herd' }).click();
    await page.locator('summary', { hasText: 'FAILED' }).click();
    await expect.poll(text).toContain('400');
    receiver.answer(withStatus(200));
    await open('Failed');
    await page.getByRole('link', { name: 'Send again…', exact: true }).click();
    await page.getByRole('button', { name: 'Send 1 occurrence again' }).click();
    await expect.poll(text, { timeout: 60_000 }).toContain('all are settled');
    expect(await figure('Delivered')).toBe('1');
    const again = receiver.received.filter(({ id }) => id.includes(refusedId));
    expect(new Set(again.map(({ id }) => id)).size).toBe(1);
    expect(again.length).toBe(2);
    // Going back and forward repeats nothing.
    await page.goBack();
    await page.goForward();
    expect(receiver.received.filter(({ id }) => id.includes(refusedId))).toHaveLength(2);

    // Everything stops, the backlog can be seen, and is sent.
    await open('Deliveries');
    const first = page.locator('main section').first();
    await first.getByLabel('Reason').fill('Receiver maintenance');
    await first.getByRole('button', { name: 'Pause' }).click();
    await expect.poll(text).toContain('Receiver maintenance');
    const later = instants.next(15_000);
    const [pausedId = ''] = await createHerd(operated, 1, {
      timezone: later.timezone,
      firstName: 'Waiting',
    });
    await expect.poll(() => figure('Due'), { timeout: 120_000 }).toBe('1');
    await open('Today');
    expect(await text()).toContain('Receiver maintenance');
    await open('Deliveries');
    await page.locator('main section').first().getByRole('button', { name: 'Resume' }).click();
    await expect
      .poll(() => receiver.received.filter(({ id }) => id.includes(pausedId)).length, {
        timeout: 120_000,
      })
      .toBe(1);

    // A file with two bad rows, which are returned.
    await open('Import');
    await page.getByLabel('File', { exact: true }).setInputFiles({
      name: 'people.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(
        [
          'externalId,firstName,lastName,dateOfBirth,timezone',
          'crm-1,Imani,Imported,1990-05-20,Africa/Nairobi',
          'crm-2,Bad,Date,1990-02-30,Europe/Berlin',
          'crm-3,Ines,Imported,1991-06-21,Europe/Lisbon',
          'crm-4,Bad,Zone,1990-05-20,Europe/Berln',
        ].join('\n'),
      ),
    });
    await page.getByLabel('Import: create and update').check();
    await page.getByRole('button', { name: 'Send' }).click();
    await expect.poll(text, { timeout: 60_000 }).toMatch(/Europe\/Berln/);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: /^Download them/ }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('refused-people.csv');
    const refused = await readFile(await download.path(), 'utf8');
    expect(refused).toContain('crm-2');
    expect(refused).toContain('crm-4');
    expect(refused).not.toContain('crm-1');
    await open('People');
    await page.getByLabel('Name or external id').fill('imported');
    await page.getByRole('link', { name: 'Imani Imported' }).waitFor();

    // How the receiver handles good and bad events: this one accepts everything.
    await open('Deliveries');
    await page.getByRole('button', { name: 'Check the receiver' }).click();
    await page.getByRole('heading', { name: 'Check of the receiver: default' }).waitFor();
    expect(await text()).toContain('Verify webhook-signature before anything else');

    // Who did all of that.
    await open('Log');
    await page.getByRole('heading', { name: 'Operator log' }).waitFor();
    for (const done of [
      'Checked the receiver',
      'Imported users',
      'Resumed deliveries',
      'Paused deliveries',
      'Sent again, by a filter',
    ]) {
      expect(await text()).toContain(done);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    expect(faults).toEqual({ elsewhere: [], complaints: [] });
  },
);

test(
  'every page is accessible, fits a phone, keeps to its policy, and is shown in the docs',
  { timeout: 600_000 },
  async (context) => {
    const browser = await openBrowser(context);
    const operated = await findOperated();
    const person = await live(operated);
    const { page, faults } = await signIn(browser, operated);
    expect(await faultsOfPages(page, person)).toEqual({});
    expect(faults).toEqual({ elsewhere: [], complaints: [] });
  },
);
