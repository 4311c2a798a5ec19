import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { ADA, type Answer, createTestApi, type TestApi } from '../support/api.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

let api: TestApi;
/** Ada's birthday, and the evening before. */
const NOMINAL = '2026-12-10';
const NOW = Date.UTC(2026, 11, 9, 18);
beforeAll(async () => {
  api = await createTestApi({ clock: () => NOW });
});
beforeEach(() => api.sql('truncate users.users, users.history, events.occurrences cascade'));
afterAll(() => api.database.drop());

async function addUser(fields: Partial<typeof ADA> | Record<string, string> = {}): Promise<string> {
  const { status, body } = await api.send('POST', '/v1/users', { ...ADA, ...fields });
  expect(status).toBe(201);
  return body.id;
}

const forecast = async (query = '') => (await api.send('GET', `/v1/forecast${query}`)).body;

const NO_PLACEHOLDERS = { firstOfJanuary: 0, placeholderYears: 0 };

describe('GET /v1/forecast', () => {
  test('counts what falls due in the next 24 hours by minute and zone, and the peaks', async () => {
    await addUser();
    await addUser({ timezone: 'Europe/Lisbon' });
    await addUser({ timezone: 'Europe/Lisbon' });
    await addUser({ timezone: 'Asia/Kolkata' });
    await addUser({ dateOfBirth: '1990-12-12' });
    const zones = [
      { timezone: 'Europe/Lisbon', due: 2 },
      { timezone: 'Europe/London', due: 1 },
    ];
    const types = (due: number) => [{ type: 'birthday', due }];
    const kolkata = {
      at: '2026-12-10T03:30:00.000Z',
      due: 1,
      zones: [{ timezone: 'Asia/Kolkata', due: 1 }],
      types: types(1),
    };
    const nine = { at: '2026-12-10T09:00:00.000Z', due: 3, zones, types: types(3) };
    expect(await forecast()).toEqual({
      from: '2026-12-09T18:00:00.000Z',
      to: '2026-12-10T18:00:00.000Z',
      forecastAt: '2026-12-09T18:00:00.000Z',
      settings: { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: expect.any(String) },
      due: 4,
      planned: 0,
      blocked: 0,
      suspended: 0,
      types: [{ type: 'birthday', due: 4, planned: 0, blocked: 0, suspended: 0 }],
      peaks: [
        { ...nine, ...NO_PLACEHOLDERS },
        { ...kolkata, ...NO_PLACEHOLDERS },
      ],
      hours: [
        { at: '2026-12-10T03:00:00.000Z', due: 1 },
        { at: '2026-12-10T09:00:00.000Z', due: 3 },
      ],
      minutes: [kolkata, nine],
    });
  });

  test('counts the birthdays of a peak that may be placeholders, planned or not', async () => {
    const planned = await addUser({ dateOfBirth: '1970-01-01' });
    await addUser({ dateOfBirth: '1990-01-01' });
    await addUser({ dateOfBirth: '1900-01-01' });
    await plantOccurrence(api.sql, {
      user_id: planned,
      nominal_date: '2027-01-01',
      date: '1970-01-01',
      timezone: 'Europe/London',
      due_at: '2027-01-01T09:00:00Z',
    });
    const { peaks } = await forecast('?to=2027-01-02T00:00:00Z');
    expect(peaks).toMatchObject([
      { at: '2027-01-01T09:00:00.000Z', due: 3, firstOfJanuary: 3, placeholderYears: 2 },
    ]);
  });

  test('counts what the ledger has planned as it is, and nothing twice', async () => {
    const user_id = await addUser();
    // Planned with other settings: an hour later.
    await plantOccurrence(api.sql, {
      user_id,
      nominal_date: NOMINAL,
      timezone: 'Europe/London',
      due_at: '2026-12-10T10:00:00Z',
    });
    const day = await forecast();
    expect(day).toMatchObject({ due: 1, planned: 1 });
    expect(day.minutes[0].at).toBe('2026-12-10T10:00:00.000Z');
    // The next year, of which the ledger has nothing, comes from the user.
    const year = await forecast('?to=2027-12-31T00:00:00Z');
    expect(year).toMatchObject({ due: 2, planned: 1, minutes: null });
    expect(year.peaks[1].at).toBe('2027-12-10T09:00:00.000Z');
  });

  test('does not count what was delivered already, skipped, or is being redelivered', async () => {
    const ofThisYear = { nominal_date: NOMINAL, due_at: '2026-12-10T09:00:00Z' };
    const settled = (state: string) => ({
      ...ofThisYear,
      state,
      settled_at: '2026-12-09T17:00:00Z',
    });
    await plantOccurrence(api.sql, { user_id: await addUser(), ...settled('COMPLETED') });
    await plantOccurrence(api.sql, { user_id: await addUser(), ...settled('SKIPPED') });
    await plantOccurrence(api.sql, {
      user_id: await addUser(),
      ...ofThisYear,
      redeliveries: 1,
      redelivered_at: '2026-12-09T17:00:00Z',
    });
    expect(await forecast()).toMatchObject({ due: 0, planned: 0, blocked: 0, peaks: [] });
  });

  test('counts what is in an unknown zone separately', async () => {
    const user_id = await addUser();
    await api.sql(`update users.users set timezone = 'Mars/Olympus' where id = ?`, [user_id]);
    await plantOccurrence(api.sql, {
      user_id,
      timezone: 'Mars/Olympus',
      nominal_date: NOMINAL,
      due_at: null,
    });
    expect(await forecast()).toMatchObject({ due: 0, blocked: 1, minutes: [] });
  });

  test('lists minutes for 31 days, and answers for 400', async () => {
    await addUser();
    const month = await forecast('?from=2026-12-09T18:00:00Z&to=2027-01-09T18:00:00Z');
    expect(month.minutes).toHaveLength(1);
    const longer = await forecast('?from=2026-12-09T18:00:00Z&to=2027-01-09T18:00:01Z');
    expect(longer).toMatchObject({ due: 1, minutes: null });
    // Only the years after that of birth.
    const far = await forecast('?from=9898-01-01T00:00:00Z&to=9899-02-05T00:00:00Z');
    expect(far).toMatchObject({ due: 1, planned: 0 });
  });

  const PAST = 'must not be in the past: the audit says what was due';
  const ISO = 'must be an ISO 8601 instant with its offset, such as 2026-05-20T09:00:00Z';
  test.each([
    ['?from=2026-12-09T17:58:59Z', 'from', PAST],
    ['?from=2026-12-11', 'from', ISO],
    ['?from=2026-12-11T00:00:00', 'from', ISO],
    ['?from=9900-01-01T00:00:00Z', 'from', 'must be from the year 1600 to 9899'],
    ['?to=tomorrow', 'to', ISO],
    ['?to=2026-12-09T18:00:00Z', 'to', 'must be after from, and in the future'],
    [
      '?from=2026-12-12T00:00:00Z&to=2026-12-11T00:00:00Z',
      'to',
      'must be after from, and in the future',
    ],
    ['?to=2028-01-13T18:00:01Z', 'to', 'must be at most 400 days after from'],
    ['?zone=UTC', 'zone', 'is not a parameter here'],
    ['?maxAge=3601', 'maxAge', 'must be a number of seconds from 0 to 3600'],
    ['?maxAge=1m', 'maxAge', 'must be a number of seconds from 0 to 3600'],
  ])('refuses %s, with the rule', async (query, field, rule) => {
    const { status, body } = await api.send('GET', `/v1/forecast${query}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule }]);
  });

  test('returns one that was computed before if that is allowed, and a new one otherwise', async () => {
    const until = '?to=2026-12-20T00:00:00Z';
    await addUser();
    expect(await forecast(`${until}&maxAge=60`)).toMatchObject({ due: 1 });
    await addUser();
    expect(await forecast(`${until}&maxAge=60`)).toMatchObject({ due: 1 });
    expect(await forecast(until)).toMatchObject({ due: 2 });
    expect(await forecast(`${until}&maxAge=60&occasionType=birthday`)).toMatchObject({ due: 2 });
    expect(await forecast('?to=2026-12-20T00:00:01Z&maxAge=60')).toMatchObject({ due: 2 });
  });

  test('accepts a clock that is a little behind, from now on', async () => {
    const body = await forecast('?from=2026-12-09T17:59:30Z');
    expect(body.from).toBe('2026-12-09T18:00:00.000Z');
  });

  test.for(['/v1/forecast', '/v1/audit/2026-12-10'])(
    'limits how many expensive reads run, and how many wait: %s',
    async (path) => {
      const statuses: number[] = [];
      const { promise: refused, resolve: refuse } = Promise.withResolvers<Answer>();
      const ask = async (): Promise<number> => {
        const answer = await api.send('GET', path);
        if (answer.status !== 200) refuse(answer);
        statuses.push(answer.status);
        return answer.status;
      };
      const asked = await api.database.orm.em.fork().transactional(async (em) => {
        await em.execute('lock table events.occurrences in access exclusive mode');
        const all = Array.from({ length: 13 }, ask);
        const { status, headers, body } = await refused;
        expect(status).toBe(503);
        expect(headers.get('retry-after')).toBe('30');
        expect(body).toMatchObject({ type: 'urn:daybell:problem:too-busy' });
        return all;
      });
      await Promise.all(asked);
      expect(statuses).toEqual([503, ...Array(12).fill(200)]);
      expect(await ask()).toBe(200);
    },
  );
});
