import { afterEach, describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';

const neverAsked = { send: () => Promise.reject(), check: () => Promise.reject() };
const api = useTestApi({ webhookTesters: new Map([['crm', neverAsked]]) });
afterEach(() =>
  api.sql('truncate events.occasion_types, events.occasion_type_rules, events.dispatchers'),
);

const PATH = '/v1/occasion-types';
const get = (name: string) => api.send('GET', `${PATH}/${name}`);
const put = (name: string, body: object, headers: Record<string, string> = {}) =>
  api.send('PUT', `${PATH}/${name}`, body, headers);
const rules = () =>
  api.sql(
    'select type, delivery_time, leap_day_policy from events.occasion_type_rules order by id',
  );

const NOTHING_SET = {
  message: null,
  deliveryTime: null,
  leapDayPolicy: null,
  lateLimit: null,
  whenLate: null,
  destination: null,
};

describe('an occasion type', () => {
  test('has the built-in values and those of the installation while nothing is set', async () => {
    const { status, body } = await get('birthday');
    expect(status).toBe(200);
    expect(body).toEqual({
      type: 'birthday',
      builtIn: true,
      ...NOTHING_SET,
      inForce: {
        message: "Hey, {firstName} {lastName} it's your birthday",
        deliveryTime: '09:00',
        leapDayPolicy: 'feb28',
        lateLimit: '48h',
        destination: 'default',
      },
      revision: 0,
      updatedAt: null,
    });
    expect((await get('dental-check-up')).body).toMatchObject({ builtIn: false, ...NOTHING_SET });
  });

  test('can be set, and what the next settings leave out is unset', async () => {
    const settings = {
      message: 'Hey, {firstName} your {data.plan|current} plan',
      deliveryTime: '07:30',
      leapDayPolicy: 'mar1',
      lateLimit: '90m',
      whenLate: 'send',
      destination: 'crm',
    };
    const { status, body } = await put('subscription', settings);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...settings,
      inForce: {
        message: settings.message,
        deliveryTime: '07:30',
        leapDayPolicy: 'mar1',
        lateLimit: '90m',
        destination: 'crm',
      },
      revision: 1,
    });
    expect((await get('subscription')).body).toEqual(body);
    const next = await put('subscription', { lateLimit: '2d', whenLate: 'skip' });
    expect(next.body).toMatchObject({ ...NOTHING_SET, lateLimit: '48h', whenLate: 'skip' });
    expect(next.body).toMatchObject({ revision: 2, inForce: { lateLimit: '5m' } });
  });

  test('is unchanged if it is set to its current settings', async () => {
    const first = await put('reminder', { deliveryTime: '07:30' });
    const { headers, body } = await put('reminder', { deliveryTime: '07:30', message: null });
    expect(body).toEqual(first.body);
    expect(headers.get('etag')).toBe('"1"');
    expect(await rules()).toHaveLength(1);
  });

  test('keeps a history of what decides dates, and of nothing else', async () => {
    await put('reminder', { message: 'Hey' });
    await put('reminder', { deliveryTime: '07:30' });
    await put('reminder', { deliveryTime: '07:30', leapDayPolicy: 'mar1', destination: 'crm' });
    await put('reminder', { deliveryTime: '07:30', leapDayPolicy: 'mar1', lateLimit: '1h' });
    await put('reminder', {});
    expect(await rules()).toEqual([
      { type: 'reminder', delivery_time: '07:30', leap_day_policy: null },
      { type: 'reminder', delivery_time: '07:30', leap_day_policy: 'mar1' },
      { type: 'reminder', delivery_time: null, leap_day_policy: null },
    ]);
  });

  test('changes only if it is as it was read, on request', async () => {
    const { headers } = await put('reminder', { message: 'Hey' }, { 'If-Match': '"0"' });
    const etag = headers.get('etag') ?? '';
    expect((await put('reminder', { message: 'Hi' }, { 'If-Match': '"0"' })).status).toBe(412);
    expect((await put('reminder', { message: 'Hi' }, { 'If-Match': etag })).status).toBe(200);
    const cached = await api.send('GET', `${PATH}/reminder`, undefined, { 'If-None-Match': '"2"' });
    expect(cached.status).toBe(304);
  });

  test('records both of two simultaneous changes in its history, and the last one counts', async () => {
    const times = ['06:00', '07:00', '08:00', '10:00'];
    await Promise.all(times.map((deliveryTime) => put('reminder', { deliveryTime })));
    const { body } = await get('reminder');
    expect(body.revision).toBe(times.length);
    const history = (await rules()) as { delivery_time: string }[];
    expect(history.map(({ delivery_time }) => delivery_time).toSorted()).toEqual(times);
    expect(history.at(-1)?.delivery_time).toBe(body.deliveryTime);
  });

  test('is listed with the built-in ones and those that occasions have, by name', async () => {
    await put('dental-check-up', { message: 'Hey' });
    await api.sql(
      `insert into events.occasions (type, id, user_id)
       select type, gen_random_uuid(), gen_random_uuid()
       from unnest(array['zumba', 'zumba', 'birthday', 'eye-test']) as type`,
    );
    const { body } = await api.send('GET', PATH);
    expect(body.occasionTypes.map(({ type }: { type: string }) => type)).toEqual([
      'anniversary',
      'birthday',
      'birthday-reminder',
      'dental-check-up',
      'eye-test',
      'reminder',
      'subscription',
      'zumba',
    ]);
  });

  test.each([
    ['message', 'Hey, {nickname}', 'must not have {nickname}'],
    ['message', 'Your {data.plan} plan', 'must give {data.plan} a default'],
    ['message', '  ', 'must not be blank'],
    ['deliveryTime', '9:00', 'must be a time HH:MM'],
    ['leapDayPolicy', 'feb29', 'must be feb28 or mar1'],
    ['lateLimit', '30s', 'must be a duration such as 90m or 48h, from 1m to 30d'],
    ['lateLimit', '31d', 'must be a duration such as'],
    ['lateLimit', 'P2D', 'must be a duration such as'],
    ['whenLate', 'never', 'must be send or skip'],
    ['destination', 'CRM', 'must be the name of a destination'],
  ])('with %s %j is refused: it %s', async (field, value, rule) => {
    const { status, body } = await put('reminder', { [field]: value });
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ field, rule: expect.stringContaining(rule) }]);
    expect((await get('reminder')).body.revision).toBe(0);
  });

  test('cannot have an unknown destination; one to which a dispatcher sends is accepted', async () => {
    const { status, body } = await put('reminder', { destination: 'billing' });
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      {
        field: 'destination',
        rule: 'must be a destination that is set up (WEBHOOK_URL_<NAME>): default, crm',
      },
    ]);
    await api.sql(`insert into events.dispatchers (id, destination, stamped_at)
      values (gen_random_uuid(), 'billing', now())`);
    expect((await put('reminder', { destination: 'billing' })).status).toBe(200);
    expect((await api.send('GET', '/v1/deliveries?destination=billing')).status).toBe(200);
  });

  test('is refused settings when 500 types have some', async () => {
    await api.sql(
      "insert into events.occasion_types (type) select 't' || n from generate_series(1, 500) as n",
    );
    expect((await put('reminder', { message: 'Hey' })).status).toBe(409);
    expect((await put('t1', { message: 'Hey' })).status).toBe(200);
  });

  test.each(['Birthday', 'test', '1st', 'a_b', 'x'.repeat(41)])(
    'cannot be named %s',
    async (name) => {
      expect((await get(name)).status).toBe(400);
      expect((await put(name, {})).status).toBe(400);
    },
  );
});
