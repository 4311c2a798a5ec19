/** /docs in a real browser: Scalar's page of the API. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { useBrowser, watchPage } from '../support/browser.ts';

const api = useTestApi();
const openBrowser = useBrowser();
let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  server = await listen(api.app, place);
});
afterAll(() => server.stop());

/** The time, on a busy machine, for a page with 5 MB of script to respond. */
const PATIENCE_MS = 90_000;

test(
  'shows an operation, sends a request of it to the API, and nothing to any other host',
  { timeout: 4 * PATIENCE_MS },
  async (context) => {
    await api.send('POST', '/v1/users', ADA);
    const page = await (await openBrowser(context)).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const faults = watchPage(page, server.url);

    await page.goto(`${server.url}/docs`);
    await page.getByRole('link', { name: /List users/ }).click();
    await page.getByRole('button', { name: /Test Request.*get \/v1\/users\)/ }).click();
    await page.getByRole('button', { name: /^Send get request/ }).click();

    const client = page.getByRole('dialog');
    await client.getByText('200 OK').first().waitFor();
    await client.getByText('"Lovelace"').first().waitFor();
    expect(faults).toEqual({ elsewhere: [], complaints: [] });
  },
);

test('its policy allows scripts, requests and fonts only from the API', async () => {
  const page = await api.send('GET', '/docs');
  const policy = Object.fromEntries(
    (page.headers.get('content-security-policy') ?? '').split('; ').map((directive) => {
      const [name = '', ...sources] = directive.split(' ');
      return [name, sources.join(' ')];
    }),
  );
  expect(policy).toMatchObject({
    'default-src': "'none'",
    'script-src': "'self'",
    'connect-src': "'self'",
    'frame-ancestors': "'none'",
  });
  expect(page.body).not.toMatch(/https?:/);
});

test('its script is compressed, and cached by the browser', async () => {
  const gzip = { 'Accept-Encoding': 'gzip' };
  const { status, headers } = await api.app.request('/docs/scalar.js', { headers: gzip });
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(headers.get('content-encoding')).toBe('gzip');
  expect(headers.get('cache-control')).toContain('max-age=');
  expect(headers.get('vary')).toBe('Accept-Encoding');

  const again = { ...gzip, 'If-None-Match': headers.get('etag') ?? '' };
  const unchanged = await api.app.request('/docs/scalar.js', { headers: again });
  expect(unchanged.status).toBe(304);
  expect(await unchanged.text()).toBe('');
});
