/** What falls due in the coming hours, days and months. */
import { beforeAll, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';
import { visitConsole } from '../support/console.ts';

const api = useTestApi();
const open = (path: string) => visitConsole(api.app).open(`http://localhost${path}`);
const linkOf = (html: string, pattern: RegExp): string =>
  pattern.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? '';

const HOSTILE = '<script>alert(1)</script>';

/** In ten days, or eleven: the others are due on 1 January. */
const soon = [10, 11]
  .map((days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(5, 10))
  .find((day) => day !== '01-01');

beforeAll(async () => {
  await api.send('POST', '/v1/users', {
    ...ADA,
    firstName: HOSTILE,
    timezone: 'UTC',
    dateOfBirth: `1992-${soon}`,
  });
  for (let nth = 0; nth < 12; nth += 1) {
    await api.send('POST', '/v1/users', { ...ADA, timezone: 'UTC', dateOfBirth: '1970-01-01' });
  }
});

test('counts by hour and by day, as a chart and as a table, with types and zones', async () => {
  const month = await open('/console/coming?span=30d');
  expect(month.text).toMatch(/\d+ occurrences? due from/);
  expect(month.html).toContain('<svg');
  expect(month.text).toContain('Each day of UTC in which any is due');
  expect(month.text).toMatch(/By occasion type|The same by occasion type/);
  expect(month.text).toContain('The same by time zone');
  expect((await open('/console/coming')).text).toContain('24 hours');
});

test('a year includes recurrences, and says which peak may consist of placeholders', async () => {
  const year = await open('/console/coming?span=400d');
  expect(year.text).toMatch(/Of the 12 at \d{4}-01-01T09:00:00\.000Z, 12 have 1 January as their/);
  expect(year.text).toContain('12 a year of birth such as 1900 or 1970');
  const other = await open('/console/coming?span=400d&occasionType=reminder');
  expect(other.text).toContain('0 occurrences due');
});

test('a peak leads to the list of what is due then, page by page, with names escaped', async () => {
  const year = await open('/console/coming?span=400d');
  const ofTwelve = linkOf(year.html, /href="(\/console\/coming\/due[^"]*-01-01T09[^"]*)"/);
  const list = await open(`${ofTwelve}&limit=10`);
  expect(list.text.match(/birthday:/g)).toHaveLength(10);
  const next = await open(linkOf(list.html, /href="([^"]*cursor=[^"]*)"/));
  expect(next.text.match(/birthday:/g)).toHaveLength(2);
  expect(next.html).not.toContain('Next page');

  const ofOne = linkOf(year.html, new RegExp(`href="(/console/coming/due[^"]*-${soon}[^"]*)"`));
  const one = await open(ofOne);
  expect(one.text).toContain(`${HOSTILE} Lovelace`);
  expect(one.html).not.toContain(HOSTILE);
});

test('an unknown span, a past time and an unknown type are pages that say so', async () => {
  expect((await open('/console/coming?span=2d')).text).toContain('There is no such span');
  const past = await open('/console/coming/due?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z');
  expect(past.status).toBe(400);
  expect(past.text).toContain('must not be in the past');
  expect((await open('/console/coming?occasionType=No%20Type')).status).toBe(400);
});
