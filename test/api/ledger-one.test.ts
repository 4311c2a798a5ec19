import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const api = useTestApi();

const plant = (columns: Record<string, unknown>) => plantOccurrence(api.sql, columns);

describe('one occurrence', () => {
  test('has every attempt with its response, and how its instant was found', async () => {
    const userId = randomUUID();
    const key = await plant({
      user_id: userId,
      state: 'COMPLETED',
      attempts: 2,
      first_attempt_at: '2026-05-20T07:00:00Z',
      superseded_at: '2027-05-20T07:00:00Z',
      settled_at: '2026-05-20T07:00:01.2345Z',
      delivered_at: '2026-05-20T07:00:01.2345Z',
      lateness_ms: 1_234,
    });
    await plantAttempt(api.sql, key, {
      number: 2,
      sent_by: 'workflow',
      started_at: '2026-05-20T07:00:01.1Z',
    });
    await plantAttempt(api.sql, key, {
      duration_ms: 15_000,
      outcome: 'retry',
      status: null,
      error_code: 'ETIMEDOUT',
      response_excerpt: null,
    });
    const { status, body } = await api.send('GET', `/v1/occurrences/${key}`);
    expect(status).toBe(200);
    const { occurrences } = (await api.send('GET', `/v1/occurrences?userId=${userId}`)).body;
    expect(body).toEqual({
      ...occurrences[0],
      late: false,
      localTime: '09:00',
      leapDayPolicy: 'feb28',
      redeliveries: 0,
      redeliveredAt: null,
      redeliveryId: null,
      forcedAt: null,
      utcOffset: '+02:00',
      explanation: expect.stringMatching(/09:00 .*20 May 2026.*Europe\/Berlin/),
      plannedAt: '2026-01-01T00:00:00.000Z',
      supersededAt: '2027-05-20T07:00:00.000Z',
      settledAt: expect.stringMatching(/^2026-05-20T07:00:01\.23\dZ$/),
      attempts: [
        {
          number: 1,
          startedAt: '2026-05-20T07:00:00.000Z',
          durationMs: 15_000,
          sentBy: 'dispatcher',
          outcome: 'retry',
          status: null,
          errorCode: 'ETIMEDOUT',
          responseExcerpt: null,
        },
        {
          number: 2,
          startedAt: '2026-05-20T07:00:01.100Z',
          durationMs: 12,
          sentBy: 'workflow',
          outcome: 'delivered',
          status: 200,
          errorCode: null,
          responseExcerpt: 'ok',
        },
      ],
    });
  });

  test('is found by its key, plain and percent-encoded', async () => {
    const key = await plant({ due_at: null });
    for (const path of [key, encodeURIComponent(key), key.replaceAll(':', '%3a')]) {
      const { status, body } = await api.send('GET', `/v1/occurrences/${path}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ key, blockedReason: 'unknown zone Mars/Olympus', attempts: [] });
    }
  });

  test.for([
    `birthday:${randomUUID()}:2026`,
    'birthday',
    // A path of its own, to POST.
    'preview',
    'birthday:ada:2026',
    `birthday:${randomUUID()}:26`,
    `wedding:${randomUUID()}:2026`,
    '%00',
    '%ff',
    'birthday%2Fx',
    'x'.repeat(300),
  ])('with the key %s is not found, and the form of keys is explained', async (key) => {
    const { status, body } = await api.send('GET', `/v1/occurrences/${key}`);
    expect(status).toBe(404);
    expect(body).toMatchObject({
      type: 'urn:daybell:problem:occurrence-not-found',
      detail: expect.stringContaining('birthday:<user id>:<year>'),
    });
  });

  test('takes no query parameters', async () => {
    const { status, body } = await api.send('GET', `/v1/occurrences/x?attempts=true`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'attempts', rule: 'is not a parameter here' }]);
  });
});

describe('an id in capitals', () => {
  test('is the same id: in a key, in a path and in a filter', async () => {
    const userId = await createEventRows(api.database.orm).addUser();
    const key = await plant({ user_id: userId, state: 'FAILED' });
    const capitals = userId.toUpperCase();
    const sameKey = key.replace(userId, capitals);
    const get = async (path: string) => (await api.send('GET', path)).body;
    expect(sameKey).not.toBe(key);
    expect(await get(`/v1/occurrences/${sameKey}`)).toMatchObject({ key, userId });
    expect(await get(`/v1/users/${capitals}`)).toMatchObject({ id: userId });
    expect(await get(`/v1/users/${capitals}/occurrences`)).toMatchObject({
      occurrences: [{ key }],
    });
    expect(await get(`/v1/occurrences?userId=${capitals}`)).toMatchObject({
      occurrences: [{ key }],
    });
    const counted = { userId: capitals, dryRun: true };
    expect((await api.send('POST', '/v1/occurrences/redeliver', counted)).body.matching).toBe(1);
    expect(await api.send('POST', `/v1/occurrences/${sameKey}/redeliver`)).toMatchObject({
      status: 202,
      body: { occurrence: { key } },
    });
  });

  test('does not extend to types, which are in lower case', async () => {
    const key = await plant({ state: 'FAILED' });
    const { status } = await api.send('GET', `/v1/occurrences/${key.replace('birth', 'BIRTH')}`);
    expect(status).toBe(404);
  });
});
