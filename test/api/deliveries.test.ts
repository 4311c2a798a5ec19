import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { createLedger } from '../../src/ledger/ledger.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';

const HOUR = 3_600_000;

const secretFingerprints = new Map([['default', ['3f1c9a02', '0011aaff']]]);
const api = useTestApi({ secretFingerprints });
let rows: EventRows;
beforeAll(() => {
  rows = createEventRows(api.database.orm);
});
afterEach(async () => {
  await rows.resetDestination();
  await rows.sql('truncate events.occurrences cascade');
});

const pause = (body?: unknown) => api.send('POST', '/v1/deliveries/pause', body);
const resume = () => api.send('POST', '/v1/deliveries/resume');
const read = () => api.send('GET', '/v1/deliveries');

const NONE = { due: 0, retrying: 0, sending: 0, tooLate: 0, firstTooLateAt: null };

describe('deliveries', () => {
  test('are neither paused nor slowed at first, and nothing waits', async () => {
    const answer = await read();
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      paused: false,
      pausedSince: null,
      pauseReason: null,
      slowed: null,
      waiting: NONE,
      destinations: [
        {
          destination: 'default',
          dispatchers: 0,
          paused: false,
          pausedSince: null,
          pauseReason: null,
          slowed: null,
          maxPerSecond: null,
          secrets: ['3f1c9a02', '0011aaff'],
          waiting: NONE,
        },
      ],
    });
  });

  test('can be paused and resumed for one destination, and count as paused together only if all are', async () => {
    await rows.sql("insert into events.destinations (id) values ('crm')");
    const send = (method: string, path: string) => api.send(method, `/v1/deliveries${path}`);
    const paused = await send('POST', '/pause?destination=crm');
    expect(paused.body).toMatchObject({ paused: true, destinations: [{ destination: 'crm' }] });
    expect((await read()).body).toMatchObject({
      paused: false,
      destinations: [
        { destination: 'default', paused: false },
        { destination: 'crm', paused: true },
      ],
    });
    await pause({ reason: 'all' });
    expect((await read()).body).toMatchObject({ paused: true });
    await send('POST', '/resume?destination=crm');
    expect((await send('GET', '?destination=crm')).body).toMatchObject({ paused: false });
    expect((await send('GET', '?destination=default')).body).toMatchObject({
      paused: true,
      pauseReason: 'all',
    });
  });

  test('of an unknown destination are not found; an invalid name is refused', async () => {
    expect((await api.send('GET', '/v1/deliveries?destination=other')).status).toBe(404);
    expect((await api.send('POST', '/v1/deliveries/pause?destination=other')).status).toBe(404);
    expect((await api.send('GET', '/v1/deliveries?destination=A%20B')).status).toBe(400);
  });

  test('can be paused without a body, and the response says since when', async () => {
    const { status, body } = await pause();
    expect(status).toBe(200);
    expect(body).toMatchObject({ paused: true, pauseReason: null, waiting: NONE });
    expect(new Date(body.pausedSince).toISOString()).toBe(body.pausedSince);
    expect((await read()).body).toEqual(body);
  });

  test('can be paused for a reason, which is shown', async () => {
    await pause({ reason: 'Wartung bis 12 Uhr (ops)' });
    expect((await read()).body.pauseReason).toBe('Wartung bis 12 Uhr (ops)');
  });

  test('that are paused twice stay paused since the first time', async () => {
    const first = await pause({ reason: 'first' });
    const second = await pause({ reason: 'second' });
    expect(second.status).toBe(200);
    expect(second.body.pausedSince).toBe(first.body.pausedSince);
    expect(second.body.pauseReason).toBe('second');
  });

  test('can be resumed even if they were not paused', async () => {
    await pause({ reason: 'a while' });
    const resumed = await resume();
    expect(resumed.status).toBe(200);
    expect(resumed.body).toMatchObject({ paused: false, pausedSince: null, pauseReason: null });
    expect((await resume()).body).toEqual(resumed.body);
  });

  test('that wait are counted, with those that are too late and when the first will be', async () => {
    const now = Date.now();
    await rows.addHerd(3, now - HOUR);
    await rows.addHerd(2, now + HOUR);
    await rows.addHerd(1, now - 49 * HOUR);
    const { body } = await pause();
    expect(body.waiting).toEqual({
      due: 4,
      retrying: 0,
      sending: 0,
      tooLate: 1,
      firstTooLateAt: new Date(now + 47 * HOUR).toISOString(),
    });
  });

  test('that are slowed show since when, until when and to what, until they are resumed', async () => {
    const ledger = createLedger(api.database.orm, { lateAfterMs: HOUR });
    const { slowDown } = await ledger.applyThrottle({ asks: 'less', perSecond: 300 });
    const { body } = await read();
    expect(body.slowed.perSecond).toBe(150);
    expect(Date.parse(body.slowed.since)).toBe(Math.floor(slowDown?.since ?? 0));
    expect(Date.parse(body.slowed.until)).toBeGreaterThan(Date.parse(body.slowed.since));
    expect((await resume()).body.slowed).toBeNull();
  });

  test('are logged when paused, with what waits, and without the reason', async () => {
    await pause({ reason: 'because of Ada Lovelace' });
    await resume();
    const messages = api.logged.map(({ msg }) => msg);
    expect(messages).toContain('deliveries paused');
    expect(messages).toContain('deliveries resumed');
    expect(JSON.stringify(api.logged)).not.toContain('Ada');
  });
});

describe('a reason', () => {
  test.each([
    ['blank', '  '],
    ['empty', ''],
    ['of nothing that can be seen', '\u2800\u200b\u3164'],
    ['too long', 'x'.repeat(201)],
    ['with a line break', 'one\ntwo'],
    ['with a bidi override', 'a\u202Eb'],
    ['a number', 7],
  ])('that is %s is refused with the name of its field', async (_, reason) => {
    const { status, body } = await pause({ reason });
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ field: 'reason' }]);
    expect((await read()).body.paused).toBe(false);
  });

  test('of 200 code points is accepted, and so is null', async () => {
    expect((await pause({ reason: '🎂'.repeat(200) })).status).toBe(200);
    expect((await pause({ reason: null })).status).toBe(200);
  });

  test('is the only field', async () => {
    const { status, body } = await pause({ reason: 'x', until: 'noon' });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'until', rule: 'is not a field here' }]);
  });
});

describe('/readyz', () => {
  test('is ready while deliveries are paused, and says so to anyone, but not why', async () => {
    await pause({ reason: 'maintenance' });
    const { status, body } = await api.send('GET', '/readyz');
    expect(status).toBe(200);
    expect(body.ready).toBe(true);
    expect(body.deliveries).toMatchObject({ paused: true, slowed: null });
    expect(JSON.stringify(body)).not.toContain('maintenance');
    expect((await read()).body.pauseReason).toBe('maintenance');
  });

  test('queries once for all simultaneous callers', async () => {
    const answers = Promise.withResolvers<[]>();
    let asked = 0;
    const counting = await createTestApi({
      checks() {
        asked += 1;
        return answers.promise;
      },
    });
    const all = Array.from({ length: 20 }, () => counting.send('GET', '/readyz'));
    await expect.poll(() => asked).toBe(1);
    answers.resolve([]);
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(all.map(() => 200));
    expect(asked).toBe(1);
    await counting.send('GET', '/readyz');
    expect(asked).toBe(2);
    await counting.database.drop();
  });

  test('says nothing about deliveries if the database does not answer', async () => {
    const without = await createTestApi({
      checks: async () => [{ name: 'database', ready: false, detail: 'does not answer' }],
    });
    const { body } = await without.send('GET', '/readyz');
    await without.database.drop();
    expect(body.deliveries).toBeNull();
  });
});
