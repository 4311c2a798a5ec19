import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';

const NOW = Date.UTC(2026, 10, 23, 12);

const api = useTestApi({ clock: () => NOW });

const insertOccurrence = (userId: string, year: number, fields: Record<string, unknown>) =>
  plantOccurrence(api.sql, {
    user_id: userId,
    nominal_date: `${year}-12-10`,
    date: ADA.dateOfBirth,
    timezone: ADA.timezone,
    due_at: `${year}-12-10T09:00:00Z`,
    planned_at: '2024-01-01T00:00:00Z',
    ...fields,
  });

describe('the occurrences of a user', () => {
  test('are empty before the first planning', async () => {
    const { body: user } = await api.send('POST', '/v1/users', ADA);
    const answer = await api.send('GET', `/v1/users/${user.id}/occurrences`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ next: null, occurrences: [], nextCursor: null });
  });

  test('are shown newest first, with their attempts, and the next one in words', async () => {
    const { body: user } = await api.send('POST', '/v1/users', ADA);
    const key = (year: number) => `birthday:${user.id}:${year}`;
    await insertOccurrence(user.id, 2025, {
      state: 'COMPLETED',
      settled_at: '2025-12-10T09:00:01.5Z',
      delivered_at: '2025-12-10T09:00:01.5Z',
      lateness_ms: 1500,
    });
    await insertOccurrence(user.id, 2024, {
      state: 'SKIPPED',
      reason: 'too_late',
      // Made with an older tz database.
      due_at: '2024-12-10T10:00:00Z',
    });
    await insertOccurrence(user.id, 2026, { state: 'PENDING' });
    await plantAttempt(api.sql, key(2025), {
      number: 2,
      started_at: '2025-12-10T09:00:01.4Z',
      duration_ms: 100,
    });
    await plantAttempt(api.sql, key(2025), {
      started_at: '2025-12-10T09:00:00.123456Z',
      duration_ms: 35,
      outcome: 'retry',
      status: null,
      error_code: 'ECONNREFUSED',
    });

    const { status, body } = await api.send('GET', `/v1/users/${user.id}/occurrences`);
    expect(status).toBe(200);
    expect(body.occurrences.map((one: { nominalDate: string }) => one.nominalDate)).toEqual([
      '2026-12-10',
      '2025-12-10',
      '2024-12-10',
    ]);
    expect(body.next).toEqual(body.occurrences[0]);
    expect(body.next).toMatchObject({
      // Planned before the user was last changed.
      replanning: true,
      key: key(2026),
      occasionType: 'birthday',
      occasionId: user.id,
      nominalDate: '2026-12-10',
      status: 'PENDING',
      reason: null,
      blockedReason: null,
      localDate: '2026-12-10',
      localTime: '09:00',
      timezone: 'Europe/London',
      utcOffset: '+00:00',
      dueAt: '2026-12-10T09:00:00.000Z',
      tzVersion: '2026c',
      explanation: expect.stringMatching(/09:00 .*10 December 2026.*Europe\/London/),
      deliveredAt: null,
      latenessMs: null,
      attempts: [],
    });
    expect(body.occurrences[1]).toMatchObject({
      status: 'COMPLETED',
      deliveredAt: '2025-12-10T09:00:01.500Z',
      latenessMs: 1500,
      attempts: [
        {
          number: 1,
          startedAt: '2025-12-10T09:00:00.123Z',
          durationMs: 35,
          sentBy: 'dispatcher',
          outcome: 'retry',
          status: null,
          errorCode: 'ECONNREFUSED',
        },
        {
          number: 2,
          startedAt: '2025-12-10T09:00:01.400Z',
          durationMs: 100,
          sentBy: 'dispatcher',
          outcome: 'delivered',
          status: 200,
          errorCode: null,
          responseExcerpt: 'ok',
        },
      ],
    });
    expect(body.occurrences[2]).toMatchObject({
      status: 'SKIPPED',
      reason: 'too_late',
      dueAt: '2024-12-10T10:00:00.000Z',
      explanation: null,
    });
  });

  test('show which ones cannot be planned, and why', async () => {
    const { body: user } = await api.send('POST', '/v1/users', ADA);
    await insertOccurrence(user.id, 2026, {
      state: 'PENDING',
      timezone: 'Mars/Olympus',
      blocked_reason: 'The time zone is not known.',
      local_date: null,
      due_at: null,
    });
    const { body } = await api.send('GET', `/v1/users/${user.id}/occurrences`);
    expect(body.next).toMatchObject({
      status: 'PENDING',
      blockedReason: 'The time zone is not known.',
      dueAt: null,
      localDate: null,
      explanation: null,
    });
  });

  test('are next while they are being delivered', async () => {
    const { body: user } = await api.send('POST', '/v1/users', ADA);
    await insertOccurrence(user.id, 2026, {
      state: 'PROCESSING',
      due_at: '2026-11-10T09:00:00Z',
    });
    const { body } = await api.send('GET', `/v1/users/${user.id}/occurrences`);
    expect(body.next).toMatchObject({ status: 'PROCESSING', nominalDate: '2026-12-10' });
  });
});

interface Case {
  dateOfBirth: string;
  timezone: string;
  now: string;
  leapDayPolicy: string;
  localTime: string;
  expected: string;
}

const preview = (body: object) => api.send('POST', '/v1/occurrences/preview', body);

describe('a preview', () => {
  const facts = { dateOfBirth: '1990-12-10', timezone: 'Europe/London' };

  test('is the next one by the rules in force, from now on', async () => {
    const { status, body } = await preview(facts);
    expect(status).toBe(200);
    expect(body).toEqual({
      tzVersion: bundledTz.version,
      occurrences: [
        {
          nominalDate: '2026-12-10',
          localDate: '2026-12-10',
          localTime: '09:00',
          dueAt: '2026-12-10T09:00:00.000Z',
          utcOffset: '+00:00',
          explanation: expect.stringMatching(/10 December 2026/),
        },
      ],
    });
  });

  test('of a leapling says which day replaces 29 February', async () => {
    const { body } = await preview({
      dateOfBirth: '2000-02-29',
      timezone: 'Europe/Berlin',
      count: 2,
      leapDayPolicy: 'mar1',
      deliveryTime: '07:30',
    });
    expect(body.occurrences).toMatchObject([
      { nominalDate: '2027-02-29', localDate: '2027-03-01', dueAt: '2027-03-01T06:30:00.000Z' },
      { localDate: '2028-02-29', dueAt: '2028-02-29T06:30:00.000Z' },
    ]);
    expect(body.occurrences[0].explanation).toMatch(/29 February/);
  });

  test('after an instant has only later ones, up to 50', async () => {
    const { body } = await preview({ ...facts, after: '2030-12-10T10:00:00+01:00', count: 50 });
    expect(body.occurrences).toHaveLength(50);
    expect(body.occurrences[0].dueAt).toBe('2031-12-10T09:00:00.000Z');
    expect(body.occurrences[49].nominalDate).toBe('2080-12-10');
    expect((await preview({ ...facts, after: '9899-12-31T23:59Z', count: 50 })).status).toBe(200);
  });

  test.for(['occurrence-cases.json', 'occurrence-cases-other-times.json'])(
    'agrees with every case of %s that the API accepts',
    async (file) => {
      const cases = JSON.parse(readFileSync(`test/time/${file}`, 'utf8')) as Case[];
      const wrong = [];
      let taken = 0;
      for (const { now, expected, dateOfBirth, timezone, leapDayPolicy, localTime } of cases) {
        const rules = { leapDayPolicy, deliveryTime: localTime };
        const given = { dateOfBirth, timezone, ...rules, after: now };
        const { status, body } = await preview(given);
        if (status === 400) continue;
        taken += 1;
        const found = body.occurrences?.[0]?.dueAt;
        if (Date.parse(found) !== Date.parse(expected)) wrong.push({ given, expected, found });
      }
      expect(wrong).toEqual([]);
      expect(taken).toBeGreaterThan(cases.length / 2);
    },
  );

  test.for([
    ['dateOfBirth', '1900-02-29', /calendar/],
    ['dateOfBirth', '2026-11-24', /future/],
    ['timezone', 'BST', /IANA/],
    ['after', 'tomorrow', /ISO/],
    ['after', '2026-02-30T00:00:00Z', /ISO/],
    ['after', '2026-05-20T09:00:00', /offset/],
    ['after', '9999-12-31T00:00:00Z', /9899/],
    ['after', 7, /string/],
    ['count', 0, /1 to 50/],
    ['count', 51, /1 to 50/],
    ['count', 1.5, /1 to 50/],
    ['count', '2', /1 to 50/],
    ['leapDayPolicy', 'feb29', /feb28 or mar1/],
    ['deliveryTime', '24:00', /HH:MM/],
    ['deliveryTime', '9:00', /HH:MM/],
    ['deliveryTime', 900, /string/],
    ['firstName', 'Ada', /not a field/],
  ] as const)('with %s %j is refused with its name', async ([field, value, rule]) => {
    const { status, body } = await preview({ ...facts, [field]: value });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });

  test('stores nothing', async () => {
    const before = await api.counts();
    await preview({ ...facts, count: 50 });
    expect(await api.counts()).toEqual(before);
  });
});
