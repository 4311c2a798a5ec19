import { describe, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

/** The morning after. */
const NOW = Date.UTC(2026, 11, 11, 9);
const api = useTestApi({ clock: () => NOW });

describe('GET /v1/audit/{date}', () => {
  test('returns what was due on a day, what became of each, and the settings used', async () => {
    await api.send('POST', '/v1/users', ADA);
    await api.sql(`update users.history set valid_from = '2020-01-01Z'`);
    const [{ id = '' } = {}] = await api.sql<{ id: string }>('select id from users.users');
    const unexpected = await plantOccurrence(api.sql, {
      state: 'COMPLETED',
      nominal_date: '2026-12-10',
      due_at: '2026-12-10T09:00:00Z',
    });
    const { status, body } = await api.send('GET', '/v1/audit/2026-12-10');
    expect(status).toBe(200);
    expect(body).toEqual({
      date: '2026-12-10',
      auditedAt: new Date(NOW).toISOString(),
      settings: { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: expect.any(String) },
      clean: false,
      due: 1,
      delivered: 0,
      late: 0,
      failed: { total: 0, byReason: {} },
      skipped: { total: 0, byReason: {} },
      pending: { total: 0, toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 },
      blocked: 0,
      deleted: 0,
      erased: { total: 0, delivered: 0, failed: 0, skipped: 0 },
      changedSince: 0,
      unaccounted: { count: 1, first: [`birthday:${id}:2026`] },
      doubles: { count: 0, first: [] },
      unexpected: { count: 1, first: [unexpected] },
      types: [expect.objectContaining({ type: 'birthday', due: 1, unaccounted: 1, unexpected: 1 })],
    });
    expect((await api.send('GET', '/v1/audit/2026-12-09')).body).toMatchObject({
      clean: true,
      due: 0,
    });
  });

  test.each([
    ['2026-02-30', 'must be a date of the calendar, as YYYY-MM-DD'],
    ['2027-02-29', 'must be a date of the calendar, as YYYY-MM-DD'],
    ['2026-5-20', 'must be a date of the calendar, as YYYY-MM-DD'],
    ['today', 'must be a date of the calendar, as YYYY-MM-DD'],
    ['2026-05-20T00:00:00Z', 'must be a date of the calendar, as YYYY-MM-DD'],
    ['1599-12-31', 'must be from the year 1600 to 9899'],
    ['9999-12-31', 'must be from the year 1600 to 9899'],
  ])('refuses %s, with the rule', async (date, rule) => {
    const { status, body } = await api.send('GET', `/v1/audit/${encodeURIComponent(date)}`);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'date', rule }]);
  });

  test('refuses an unknown parameter', async () => {
    const { status, body } = await api.send('GET', '/v1/audit/2026-12-10?type=birthday');
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'type', rule: 'is not a parameter here' }]);
  });

  test('answers for the first and the last possible day', async () => {
    for (const date of ['1600-01-01', '9899-12-31']) {
      expect((await api.send('GET', `/v1/audit/${date}`)).status).toBe(200);
    }
  });
});
