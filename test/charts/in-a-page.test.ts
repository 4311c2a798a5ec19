/**
 * Charts in a browser: under a strict Content-Security-Policy, twice in one page, light and dark.
 */
import { expect, test } from 'vitest';

import { barChart } from '../../src/charts/bar-chart.ts';
import { latenessChart } from '../../src/charts/lateness-chart.ts';
import { useBrowser, watchPage } from '../support/browser.ts';

const openBrowser = useBrowser();
const ORIGIN = 'http://daybell.test';
const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:";

test('charts work in a page under a strict policy, and follow its light and dark mode', async (context) => {
  const bars = await barChart({
    title: 'Due by hour',
    description: 'Two hours & two types',
    slots: ['08:00', '09:00'],
    series: [
      { name: 'birthday', values: [2, 1] },
      { name: '<b>reminder</b>', values: [1, 0] },
    ],
  });
  const lateness = await latenessChart({
    title: 'Lateness',
    lateness: [{ seconds: 0.4, count: 3 }],
  });
  const page = await (await openBrowser(context)).newPage();
  const faults = watchPage(page, ORIGIN);
  await page.route(`${ORIGIN}/`, (route) =>
    route.fulfill({
      contentType: 'text/html',
      headers: { 'Content-Security-Policy': POLICY },
      body: `<!doctype html><meta name="color-scheme" content="light dark"><body>${bars}${lateness}${bars}`,
    }),
  );
  await page.goto(`${ORIGIN}/`);

  const images = page.getByRole('img');
  expect(await images.count()).toBe(3);
  expect(await page.getByRole('img', { name: 'Due by hour' }).count()).toBe(2);
  expect(await page.locator('[id], [style]').count()).toBe(0);
  expect(await page.locator('text', { hasText: '<b>reminder</b>' }).count()).toBe(2);
  const colour = () => page.evaluate("getComputedStyle(document.querySelector('text')).fill");
  expect(await colour()).toBe('rgb(0, 0, 0)');
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(colour).toBe('rgb(255, 255, 255)');
  expect(faults).toEqual({ elsewhere: [], complaints: [] });
});
