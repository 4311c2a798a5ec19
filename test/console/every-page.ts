/**
 * Every page of the console in a real browser, light, dark and as narrow as a phone: what axe finds,
 * and what sticks out. With SCREENSHOTS, a folder, it writes the pictures of docs/console.md:
 * `npm run console:screenshots`.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

import { withStatus } from '../support/webhook-receiver.ts';
import type { OperatedDaybell } from './operated.ts';

const folder = process.env['SCREENSHOTS'];

const DESKTOP = { width: 1200, height: 1000 };
const PHONE = { width: 360, height: 740 };
const HERD = 60;
/** What axe looks for in each: the dark page is the same in other colours. */
const SCHEMES: readonly (readonly ['light' | 'dark', axe.RunOptions])[] = [
  ['light', {}],
  ['dark', { runOnly: { type: 'rule', values: ['color-contrast'] } }],
];

/** By what it is called in the pictures' names. */
const PAGES = {
  today: '/console',
  coming: '/console/coming?span=30d',
  people: '/console/people',
  failed: '/console/failed',
  deliveries: '/console/deliveries',
  import: '/console/import',
  log: '/console/log',
} as const;

/** A day with a herd behind it, a failure, a pause that was, and people to come. */
export async function live({ send, receiver, instants }: OperatedDaybell): Promise<string> {
  const names = ['Ada', 'Grace', 'Zoë', 'José', 'Anne-Marie', 'Søren', 'Olga', 'Imani'];
  const { timezone } = instants.next(40_000);
  receiver.answer((response, { body }) => {
    withStatus(body?.data?.user?.firstName === 'Olga' ? 410 : 200)(response);
  });
  let person = '';
  let due = 0;
  const sentBefore = receiver.received.length;
  for (let at = 0; at < HERD; at += 1) {
    const firstName = names[at % names.length];
    const user = { firstName, lastName: `Example ${at}`, externalId: `crm-${1_000 + at}` };
    const { id } = await send('POST', '/v1/users', {
      ...user,
      dateOfBirth: at % 3 === 0 ? '1990-12-10' : instants.dateOfBirth,
      timezone: at % 3 === 0 ? 'Europe/London' : timezone,
    });
    if (at === 1) person = String(id);
    if (at % 3 !== 0) due += 1;
  }
  const anniversary = { type: 'anniversary', date: '2015-12-05' };
  await send('POST', `/v1/users/${person}/occasions`, anniversary);
  await send('POST', '/v1/deliveries/pause', { reason: 'Receiver maintenance (ticket 4711)' });
  await send('POST', '/v1/deliveries/resume');
  const isOver = async (): Promise<boolean> => {
    const { waiting, lastPeak } = (await send('GET', '/v1/status')) as {
      waiting: { due: number; sending: number } | null;
      lastPeak: { open: number } | null;
    };
    const isSent = receiver.received.length >= sentBefore + due;
    return isSent && lastPeak?.open === 0 && waiting?.due === 0 && waiting.sending === 0;
  };
  await expect.poll(isOver, { timeout: 180_000, interval: 500 }).toBe(true);
  return person;
}

/** Where the instants are, a local day of sending. */
function today(): string {
  return new Date().toISOString().slice(0, 10);
}

async function axeFaults(page: Page, options: axe.RunOptions): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    `axe.run(${JSON.stringify(options)})`,
  )) as axe.AxeResults;
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' · ')}`);
}

/** By page: what is wrong with it. */
export async function faultsOfPages(page: Page, person: string): Promise<Record<string, string[]>> {
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const found: Record<string, string[]> = {};
  for (const [name, path] of Object.entries({
    ...PAGES,
    person: `/console/people/${person}`,
    audit: `/console/audit?date=${today()}`,
    'sign-in': '/console/sign-in',
  })) {
    for (const [colorScheme, options] of SCHEMES) {
      await page.setViewportSize(DESKTOP);
      await page.emulateMedia({ colorScheme });
      await page.goto(path);
      const faultsHere = await axeFaults(page, options);
      if (faultsHere.length > 0) found[`${name}, ${colorScheme}`] = faultsHere;
      if (folder !== undefined) {
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
      }
    }
    await page.setViewportSize(PHONE);
    const sticksOut = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    if (sticksOut !== 0) found[`${name}, phone`] = [`${String(sticksOut)} px too wide`];
  }
  return found;
}
