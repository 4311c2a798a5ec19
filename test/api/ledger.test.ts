import { randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const api = useTestApi();
beforeEach(() => api.sql('truncate events.occurrences cascade'));

const plant = (columns: Record<string, unknown>) => plantOccurrence(api.sql, columns);
const hour = (at: number) => new Date(Date.UTC(2026, 4, 20, at)).toISOString();
const list = (query: string) => api.send('GET', `/v1/occurrences?${query}`);
const keysOf = (body: { occurrences: { key: string }[] }) => body.occurrences.map(({ key }) => key);

async function pages(query: string): Promise<string[][]> {
  const found: string[][] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body } = await list(`${query}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(status).toBe(200);
    found.push(keysOf(body));
    cursor = body.nextCursor;
  }
  return found;
}

describe('the list of occurrences', () => {
  test('shows the state of each, and no name', async () => {
    const userId = randomUUID();
    const key = await plant({
      user_id: userId,
      state: 'COMPLETED',
      attempts: 2,
      first_attempt_at: '2026-05-20T07:00:00.004Z',
      delivered_at: '2026-05-20T07:06:00.5Z',
      settled_at: '2026-05-20T07:06:00.5Z',
      lateness_ms: 360_500,
    });
    const { status, body } = await list('');
    expect(status).toBe(200);
    expect(body).toEqual({
      occurrences: [
        {
          key,
          occasionType: 'birthday',
          occasionId: userId,
          userId,
          nominalDate: '2026-05-20',
          status: 'COMPLETED',
          reason: null,
          blockedReason: null,
          localDate: '2026-05-20',
          timezone: 'Europe/Berlin',
          dueAt: '2026-05-20T07:00:00.000Z',
          tzVersion: '2026c',
          attemptCount: 2,
          firstAttemptAt: '2026-05-20T07:00:00.004Z',
          nextAttemptAt: null,
          settledAt: '2026-05-20T07:06:00.500Z',
          deliveredAt: '2026-05-20T07:06:00.500Z',
          latenessMs: 360_500,
          late: true,
          replanning: false,
        },
      ],
      nextCursor: null,
    });
  });

  test('shows when the next attempt may be made, but not while one is in progress', async () => {
    const nextAttemptAt = '2026-05-20T07:00:04.000Z';
    const sent = { attempts: 1, first_attempt_at: hour(1), due_at: hour(1) };
    await plant({ ...sent, next_attempt_at: nextAttemptAt });
    // Of a process that died: it becomes due again by itself.
    const expired = { lease_until: nextAttemptAt, next_attempt_at: nextAttemptAt };
    await plant({ ...sent, state: 'PROCESSING', due_at: hour(2), ...expired });
    await plant({ ...sent, state: 'PROCESSING', due_at: hour(3) });
    const { body } = await list('to=2026-05-20T04:00:00Z');
    expect(body.occurrences).toMatchObject([
      { status: 'PENDING', nextAttemptAt },
      { status: 'PROCESSING', nextAttemptAt },
      { status: 'PROCESSING', nextAttemptAt: null },
    ]);
  });

  test.for([1, 4, 9, 10, 11, 200])(
    'in pages of %i has each once: by instant, then key, and those without an instant last',
    async (limit) => {
      const dated = [];
      for (const at of [3, 1, 2, 1, 2, 1, 2]) {
        dated.push({ at, key: await plant({ due_at: hour(at) }) });
      }
      const undated = [];
      for (let blocked = 0; blocked < 3; blocked += 1) undated.push(await plant({ due_at: null }));
      const byInstant = dated.toSorted((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1));
      const expected = [...byInstant.map(({ key }) => key), ...undated.toSorted()];

      const found = await pages(`limit=${limit}`);
      expect(found.flat()).toEqual(expected);
      expect(found).toHaveLength(Math.ceil(10 / limit));
    },
  );

  test('can be limited to due instants from one until before another, with any offset', async () => {
    const at = async (due_at: string) => plant({ due_at });
    await at('2026-05-20T06:59:59.999Z');
    const first = await at('2026-05-20T07:00:00Z');
    const last = await at('2026-05-20T07:59:59.999Z');
    const end = await at('2026-05-20T08:00:00Z');
    await plant({ due_at: null });
    const from = encodeURIComponent('2026-05-20T09:00:00+02:00');
    const window = `from=${from}&to=2026-05-20T08:00:00Z`;
    expect((await pages(window)).flat()).toEqual([first, last]);
    expect((await pages(`limit=1&${window}`)).flat()).toEqual([first, last]);
    expect((await pages('from=2026-05-20T07:59:59.999Z')).flat()).toEqual([last, end]);
  });

  test('can be filtered by status, user, kind, zone and lateness', async () => {
    const userId = randomUUID();
    const delivered = { state: 'COMPLETED', delivered_at: hour(8) };
    const rows = {
      pending: await plant({ user_id: userId, nominal_date: '2027-05-20', due_at: hour(9_000) }),
      failed: await plant({ user_id: userId, state: 'FAILED', reason: 'http_404' }),
      skipped: await plant({ state: 'SKIPPED', reason: 'too_late', due_at: hour(8) }),
      onTime: await plant({ ...delivered, lateness_ms: 300_000, due_at: hour(9) }),
      late: await plant({ ...delivered, lateness_ms: 300_001, due_at: hour(10) }),
      blocked: await plant({ due_at: null }),
      tokyo: await plant({ timezone: 'Asia/Tokyo', state: 'PROCESSING', due_at: hour(11) }),
    };
    const expected: Record<string, string[]> = {
      'status=PENDING': [rows.pending, rows.blocked],
      'status=PENDING&blocked=true': [rows.blocked],
      'status=PENDING&blocked=false': [rows.pending],
      'blocked=true': [rows.blocked],
      'status=PROCESSING': [rows.tokyo],
      'status=COMPLETED': [rows.onTime, rows.late],
      'status=FAILED': [rows.failed],
      'status=SKIPPED': [rows.skipped],
      'late=true': [rows.late],
      'late=false': [rows.onTime],
      'late=true&status=FAILED': [],
      [`userId=${userId}`]: [rows.failed, rows.pending],
      [`userId=${userId}&status=FAILED`]: [rows.failed],
      [`userId=${randomUUID()}`]: [],
      'occasionType=birthday&status=FAILED': [rows.failed],
      'timezone=Asia/Tokyo&from=2026-05-20T00:00:00Z&to=2026-06-20T00:00:00Z': [rows.tokyo],
    };
    const found: Record<string, string[]> = {};
    for (const query of Object.keys(expected)) found[query] = (await pages(query)).flat();
    expect(found).toEqual(expected);
  });

  test('can be limited to what is sent on resume, including what a process that ended was sending', async () => {
    const due_at = '2020-05-20T07:00:00Z';
    const later = '2999-05-20T07:00:00Z';
    const waits = await plant({ due_at });
    const state = 'PROCESSING';
    const abandoned = await plant({ state, due_at, lease_until: '2020-05-20T07:01:00Z' });
    await plant({ state, due_at, lease_until: later });
    await plant({ due_at, next_attempt_at: later });
    await plant({ due_at: later, nominal_date: '2999-05-20' });
    expect((await pages('due=true')).flat().toSorted()).toEqual([waits, abandoned].toSorted());
    expect((await pages('due=true&status=PROCESSING')).flat()).toEqual([abandoned]);
  });

  test('continues after its cursor, whatever was settled meanwhile', async () => {
    const keys = [];
    for (const at of [1, 2, 3, 4]) keys.push(await plant({ due_at: hour(at), state: 'FAILED' }));
    const first = await list('status=FAILED&limit=2');
    await api.sql(
      `update events.occurrences
       set state = 'COMPLETED', delivered_at = due_at, lateness_ms = 0 where key = ?`,
      [keys[1]],
    );
    const second = await list(`status=FAILED&limit=2&cursor=${first.body.nextCursor}`);
    expect([keysOf(first.body), keysOf(second.body)]).toEqual([keys.slice(0, 2), keys.slice(2)]);
  });

  test.for([
    ['status', 'DONE', /one of PENDING, PROCESSING, COMPLETED, FAILED, SKIPPED/],
    ['status', 'failed', /one of/],
    ['from', 'yesterday', /ISO 8601/],
    ['from', '2026-05-20', /ISO 8601/],
    ['to', '2026-05-20T09:00:00', /offset/],
    ['to', '2026-02-30T09:00:00Z', /ISO 8601/],
    ['occasionType', 'Wedding!', /name of an occasion type/],
    ['userId', 'ada', /UUID/],
    ['timezone', 'Asia/Tokyo', /from and to/],
    ['late', 'yes', /true or false/],
    ['blocked', '', /true or false/],
    ['limit', '0', /1 to 200/],
    ['limit', '201', /1 to 200/],
    ['cursor', 'AAAA', /nextCursor/],
    ['cursor', Buffer.from('12/birthday:x:2026').toString('base64url'), /nextCursor/],
    ['state', 'FAILED', /not a parameter/],
  ] as const)('with %s=%s is refused with its name', async ([field, value, rule]) => {
    const { status, body } = await list(`${field}=${encodeURIComponent(value)}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });

  test.for([
    ['from=2026-05-20T09:00:00Z&to=2026-05-20T09:00:00Z', 'to', /after from/],
    ['from=2026-05-20T09:00:00Z&to=2026-05-20T10:00:00%2B02:00', 'to', /after from/],
    ['timezone=UTC&from=2026-05-20T09:00:00Z', 'timezone', /from and to/],
    ['timezone=UTC&from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z', 'timezone', /31 days/],
    [
      'timezone=a%20b&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z',
      'timezone',
      /name of a time zone/,
    ],
  ] as const)('with %s is refused', async ([query, field, rule]) => {
    const { status, body } = await list(query);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, rule: expect.stringMatching(rule) }]);
  });
});
