/** Previews of occasions other than the birthday, which occurrences.test.ts covers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi({ clock: () => Date.UTC(2026, 10, 23, 12) });
});
afterAll(() => api.database.drop());

const preview = (body: object) => api.send('POST', '/v1/occurrences/preview', body);

const SUBSCRIPTION = { type: 'subscription', date: '2027-01-31', timezone: 'Europe/Berlin' };

describe('a preview of an occasion', () => {
  test('has each day, with its move and its notice', async () => {
    const { status, body } = await preview({
      ...SUBSCRIPTION,
      recurrence: 'monthly',
      offsetDays: 7,
      deliveryTime: '08:15',
      count: 2,
    });
    expect(status).toBe(200);
    expect(body.occurrences).toMatchObject([
      { nominalDate: '2027-01-31', localDate: '2027-01-24', dueAt: '2027-01-24T07:15:00.000Z' },
      { nominalDate: '2027-02-31', localDate: '2027-02-21', dueAt: '2027-02-21T07:15:00.000Z' },
    ]);
    expect(body.occurrences[1].explanation).toContain(
      'It comes every month on the 31st, from 31 January 2027 on. ' +
        'February 2027 has 28 days, so the 31st is kept on 28 February. ' +
        'It is due 7 days before 28 February 2027.',
    );
  });

  test('follows a rule to its end', async () => {
    const rrule = 'FREQ=MONTHLY;COUNT=3';
    const { body } = await preview({ ...SUBSCRIPTION, rrule, count: 50 });
    expect(body.occurrences.map(({ localDate }: { localDate: string }) => localDate)).toEqual([
      '2027-01-31',
      '2027-03-31',
      '2027-05-31',
    ]);
    const over = await preview({ ...SUBSCRIPTION, rrule, after: '2027-06-01T00:00:00Z' });
    expect(over).toMatchObject({ status: 200, body: { occurrences: [] } });
  });

  test('of an anniversary begins a year after its date', async () => {
    const { body } = await preview({ ...SUBSCRIPTION, type: 'anniversary' });
    expect(body.occurrences).toMatchObject([{ nominalDate: '2028-01-31' }]);
  });

  test('of a birthday-reminder follows the date of birth', async () => {
    const reminder = { type: 'birthday-reminder', dateOfBirth: '1990-12-10', timezone: 'UTC' };
    const { body } = await preview({ ...reminder, offsetDays: 3 });
    expect(body.occurrences).toMatchObject([
      { nominalDate: '2026-12-10', localDate: '2026-12-07' },
    ]);
  });

  test('uses the settings of its type', async () => {
    const settings = { deliveryTime: '18:00', leapDayPolicy: 'mar1' };
    expect((await api.send('PUT', '/v1/occasion-types/evening', settings)).status).toBe(200);
    const monthly = { ...SUBSCRIPTION, type: 'evening', recurrence: 'monthly' };
    const { body } = await preview({ ...monthly, after: '2027-02-01T00:00:00Z' });
    expect(body.occurrences).toMatchObject([{ localDate: '2027-03-01', localTime: '18:00' }]);
  });

  test.for([
    [{ rrule: 'FREQ=DAILY;BYHOUR=9' }, 'rrule', /^must not have BYHOUR: occurrences are days$/],
    [{ rrule: 'FREQ=DAILY;BYEASTER=1' }, 'rrule', /^must not have BYEASTER/],
    [{ rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' }, 'rrule', /it never does/],
    [{ rrule: 'FREQ=DAILY', recurrence: 'daily' }, 'rrule', /together with recurrence/],
    [{}, 'recurrence', /required, unless rrule/],
    [{ recurrence: 'hourly' }, 'recurrence', /one of once, daily/],
    [{ recurrence: 'daily', date: '2027-02-30' }, 'date', /calendar date/],
    [{ recurrence: 'daily', date: null }, 'date', /required/],
    [{ recurrence: 'daily', offsetDays: 367 }, 'offsetDays', /0 to 366/],
    [{ recurrence: 'daily', type: 'Reminder' }, 'type', /lower-case/],
    [{ recurrence: 'daily', type: 'test' }, 'type', /reserved/],
    [{ recurrence: 'daily', dateOfBirth: '1990-05-20' }, 'dateOfBirth', /must not be given/],
    [{ type: 'birthday-reminder', date: null }, 'dateOfBirth', /required/],
    [{ recurrence: 'daily', timezone: 'BST' }, 'timezone', /IANA/],
  ] as const)('with %j is refused with its name', async ([fields, field, rule]) => {
    const { status, body } = await preview({ ...SUBSCRIPTION, ...fields });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });

  test('of a birthday does not accept fields of another type', async () => {
    const birthday = { dateOfBirth: '1990-05-20', timezone: 'UTC' };
    const { status, body } = await preview({ ...birthday, recurrence: 'daily', offsetDays: 1 });
    expect(status).toBe(400);
    expect(body.errors).toEqual(
      ['recurrence', 'offsetDays'].map((field) => ({
        field,
        rule: 'must not be given for a birthday: name a type',
      })),
    );
  });
});
