import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createExport } from '../../src/users/export/export.ts';
import { occasionInput } from '../../src/users/occasion.ts';
import { createOccasions } from '../../src/users/occasions.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { CSV, importInto, NDJSON } from '../support/import.ts';
import { bundledTz } from '../support/tz-databases.ts';

let source: TestApi;
beforeAll(async () => {
  source = await createTestApi();
  const occasions = createOccasions(source.database.orm, {});
  const input = occasionInput({ clock: Date.now, tz: bundledTz });
  for (const { occasions: ofUser, ...user } of USERS) {
    const { id } = (await source.send('POST', '/v1/users', user)).body;
    for (const occasion of ofUser) await occasions.create(id, input.parse(occasion));
  }
});
afterAll(() => source.database.drop());

/** Values that are hard to represent in a file. */
const USERS = [
  {
    externalId: 'a "quoted", id; ü 😀',
    firstName: '=1+1',
    lastName: "O'Brien, Jr.",
    dateOfBirth: '1604-02-29',
    timezone: 'Asia/Calcutta',
    deliveryTime: '07:30',
    suspended: true,
    suspendedReason: 'asked, "politely"',
    occasions: [
      { type: 'anniversary', date: '2015-02-28', externalId: 'wedding' },
      { type: 'birthday-reminder', offsetDays: 7 },
      {
        type: 'reminder',
        date: '2027-01-31',
        recurrence: 'monthly',
        data: { a: [1, 'two\n"3"', null, { b: true }] },
      },
      {
        type: 'reminder',
        date: '2001-01-31',
        recurrence: 'once',
        suspended: true,
        suspendedReason: 'dispute',
      },
      { type: 'reminder', date: '2001-01-31', recurrence: 'once' },
      {
        type: 'subscription',
        date: '2027-01-31',
        rrule: 'FREQ=MONTHLY;BYDAY=-1FR',
        timezone: 'UTC',
        deliveryTime: '18:00',
        offsetDays: 3,
        externalId: '0',
      },
    ],
  },
  { firstName: 'Without', lastName: '', dateOfBirth: '1990-05-20', timezone: 'UTC', occasions: [] },
  {
    firstName: 'Without',
    lastName: 'id',
    dateOfBirth: '1990-05-20',
    timezone: 'UTC',
    occasions: [{ type: 'anniversary', date: '2015-06-20' }],
  },
] as const;

async function exported(api: TestApi, format: string): Promise<string> {
  const response = await api.app.request(`/v1/export?format=${format}`);
  expect(response.status).toBe(200);
  return response.text();
}

describe.for([
  ['ndjson', NDJSON],
  ['csv', CSV],
] as const)('an export as %s', ([format, type]) => {
  test('contains everyone, in the form that an import accepts', async () => {
    const text = await exported(source, format);
    const rows = text.split('\n').filter(Boolean);
    expect(rows).toHaveLength(format === 'csv' ? 1 + 6 + 1 + 1 : 3);
    expect(text).toContain('asked, ');
    // As text for a spreadsheet, which would run it.
    expect(text).toContain(format === 'csv' ? ",'=1+1," : '"=1+1"');
  });

  test('makes no difference when imported into an empty installation', async () => {
    const target = await createTestApi();
    try {
      const text = await exported(source, format);
      const { refused, summary } = await importInto(target, text, { type });
      expect(refused).toEqual([]);
      expect(summary).toMatchObject({ users: { created: 3 }, occasions: { created: 7 } });
      expect(await exported(target, 'ndjson')).toBe(await exported(source, 'ndjson'));
      expect(await exported(target, 'csv')).toBe(await exported(source, 'csv'));
      const kept =
        'select id, date_of_birth::text, timezone, suspended from users.users order by id';
      expect(await target.sql(kept)).toEqual(await source.sql(kept));
    } finally {
      await target.database.drop();
    }
  });

  test('changes nothing when imported where it comes from', async () => {
    const before = await source.counts();
    const { refused, summary } = await importInto(source, await exported(source, format), { type });
    expect(refused).toEqual([]);
    expect(summary).toMatchObject({ users: { unchanged: 3 }, occasions: { unchanged: 7 } });
    expect(await source.counts()).toEqual(before);
  });
});

test('an id of a deleted user, or of another one, is refused with its name', async () => {
  const target = await createTestApi();
  try {
    await importInto(target, await exported(source, 'ndjson'), { type: NDJSON });
    const [first, second] = await target.sql<{ id: string }>(
      'select id from users.users order by id',
    );
    await target.send('DELETE', `/v1/users/${second?.id}`);
    const text = [
      {
        userId: second?.id.toUpperCase(),
        firstName: 'Eve',
        dateOfBirth: '1990-05-20',
        timezone: 'UTC',
      },
      {
        userId: first?.id,
        externalId: 'another',
        firstName: 'Eve',
        dateOfBirth: '1990-05-20',
        timezone: 'UTC',
      },
      { userId: 'crm-1', firstName: 'Eve', dateOfBirth: '1990-05-20', timezone: 'UTC' },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n');
    const { refused } = await importInto(target, text, { type: NDJSON });
    expect(refused.map(({ line, faults }) => [line, faults[0]?.rule]).toSorted()).toEqual([
      [1, 'must not be that of a user who was deleted'],
      [2, 'must be that of the user with this externalId'],
      [3, expect.stringMatching(/UUID/)],
    ]);
  } finally {
    await target.database.drop();
  }
});

test('an export shows one moment, whatever changes while it is read', async () => {
  const target = await createTestApi();
  try {
    const line = (at: number, name: string) =>
      JSON.stringify({
        externalId: `u${at}`,
        firstName: name,
        dateOfBirth: '1990-05-20',
        timezone: 'UTC',
      });
    const all = (name: string) =>
      Array.from({ length: 1_200 }, (_, at) => line(at, name)).join('\n');
    await importInto(target, all('Before'), { type: NDJSON });
    const pages = createExport(target.database.orm)('ndjson');
    const first = await pages.next();
    await importInto(target, all('After'), { type: NDJSON });
    let text = first.value ?? '';
    for await (const page of pages) text += page;
    expect(text.match(/"Before"/g)).toHaveLength(1_200);
    expect(text).not.toContain('"After"');
  } finally {
    await target.database.drop();
  }
});
