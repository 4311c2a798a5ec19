/** The current state, as shown by GET /v1/status. */
import { randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import type { AuditedDay } from '../../src/audit/watch.ts';
import type { ReadinessCheck } from '../../src/platform/probes.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

const NOW = Date.parse('2026-05-20T12:00:00Z');
const MINUTE = 60_000;
const at = (offsetMs: number): string => new Date(NOW + offsetMs).toISOString();

/** What the API depends on, replaced for one test each. */
const state = {
  checks: [] as ReadinessCheck[],
  audited: null as readonly AuditedDay[] | null,
  pollers: 1 as number | Error,
};
const api = useTestApi({
  clock: () => NOW,
  checks: async () => state.checks,
  lastAudit: () => state.audited,
  countPollers: async () => {
    if (state.pollers instanceof Error) throw state.pollers;
    return state.pollers;
  },
});

beforeEach(async () => {
  state.checks = [];
  state.audited = null;
  state.pollers = 1;
  await api.sql(`create or replace function events.clock() returns timestamptz language sql volatile
    as $$ select timestamptz '${at(0)}' $$`);
  await api.sql('truncate events.occurrences, users.outbox, events.dispatchers cascade');
  await api.sql('update events.destinations set paused_at = null, slowed_ends_at = null');
  await api.sql(
    `insert into events.dispatchers (id, destination, stamped_at) values (?, 'default', events.clock())`,
    [randomUUID()],
  );
});

const plant = (columns: Readonly<Record<string, unknown>>) =>
  plantOccurrence(api.sql, { local_date: '2026-05-20', ...columns });

const delivered = (dueAt: string, latenessMs: number, timezone = 'Europe/Berlin') =>
  plant({
    state: 'COMPLETED',
    due_at: dueAt,
    timezone,
    delivered_at: new Date(Date.parse(dueAt) + latenessMs).toISOString(),
    lateness_ms: latenessMs,
  });

/** Readings are kept for a moment, so the status is polled until it is as expected. */
const status = async () => (await api.send('GET', '/v1/status')).body;
const PATIENCE = { timeout: 30_000, interval: 100 };
const codes = async (): Promise<string[]> =>
  (await status()).problems.map(({ code }: { code: string }) => code);

describe('the day', () => {
  test('is the UTC day, by due instant, by outcome, and by zone', async () => {
    await delivered(at(-60 * MINUTE), 400);
    await delivered(at(-60 * MINUTE), 6 * MINUTE);
    await delivered(at(-90 * MINUTE), 400, 'Asia/Kolkata');
    await plant({ state: 'FAILED', due_at: at(-60 * MINUTE) });
    await plant({ state: 'SKIPPED', due_at: at(-60 * MINUTE) });
    // Nothing of it was due.
    await plant({ state: 'SKIPPED', due_at: at(-60 * MINUTE), reason: 'suspended' });
    await plant({ due_at: at(-MINUTE) });
    await plant({ due_at: at(-10 * MINUTE) });
    await plant({ due_at: at(11 * 60 * MINUTE) });
    // Yesterday, and tomorrow.
    await delivered('2026-05-19T23:59:59Z', 400);
    await plant({ due_at: '2026-05-21T00:00:00Z' });
    const ofBerlin = {
      onTime: 1,
      late: 1,
      failed: 1,
      skipped: 1,
      waiting: 1,
      overdue: 1,
      toCome: 1,
    };
    const none = { onTime: 0, late: 0, failed: 0, skipped: 0, waiting: 0, overdue: 0, toCome: 0 };
    await expect.poll(status, PATIENCE).toMatchObject({
      at: at(0),
      today: {
        date: '2026-05-20',
        ...ofBerlin,
        onTime: 2,
        zones: [
          { timezone: 'Europe/Berlin', ...ofBerlin },
          { timezone: 'Asia/Kolkata', ...none, onTime: 1 },
        ],
      },
      waiting: { due: 2, retrying: 0, sending: 0 },
    });
  });

  test('has zeros and no zones if nothing is due', async () => {
    await expect.poll(status, PATIENCE).toMatchObject({
      today: { date: '2026-05-20', onTime: 0, toCome: 0, zones: [] },
      lastPeak: null,
      nextPeak: null,
      problems: [],
    });
  });
});

describe('peaks', () => {
  test('are the last and the next minute with at least half of the maximum, and how late the last was', async () => {
    const herd = (dueAt: string, count: number, latenessMs: number) =>
      Promise.all(Array.from({ length: count }, () => delivered(dueAt, latenessMs)));
    await herd(at(-180 * MINUTE), 6, 100);
    await herd(at(-120 * MINUTE), 2, 100);
    await herd(at(-120 * MINUTE), 1, 2_000);
    await plant({ due_at: at(-120 * MINUTE) });
    await herd(at(-60 * MINUTE), 2, 100);
    await plant({ due_at: at(60 * MINUTE) });
    for (const _ of [1, 2, 3]) await plant({ due_at: at(120 * MINUTE) });
    for (const _ of [1, 2]) await plant({ due_at: at(180 * MINUTE) });
    await expect.poll(status, PATIENCE).toMatchObject({
      lastPeak: {
        at: at(-120 * MINUTE),
        occurrences: 4,
        delivered: 3,
        open: 1,
        p50Ms: 100,
        p95Ms: 2_000,
        p99Ms: 2_000,
        lateness: [
          { upToMs: 100, count: 2 },
          { upToMs: 2_000, count: 1 },
        ],
      },
      nextPeak: { at: at(120 * MINUTE), occurrences: 3 },
    });
  });
});

describe('what is wrong', () => {
  test('nothing, with a dispatcher and a worker', async () => {
    await expect.poll(codes, PATIENCE).toEqual([]);
  });

  test('everything, each with its start, a sentence and what to do', async () => {
    await api.sql(
      `update events.destinations set paused_at = timestamptz '${at(-MINUTE)}', pause_reason = 'maintenance'`,
    );
    await expect.poll(codes, PATIENCE).toEqual(['paused']);
    expect((await status()).problems).toEqual([
      {
        code: 'paused',
        since: at(-MINUTE),
        sentence: 'Deliveries to default are paused: maintenance.',
        advice: expect.stringContaining('Resume them'),
      },
    ]);
  });

  test('no dispatcher, no worker, and Temporal down', async () => {
    await api.sql('truncate events.dispatchers');
    state.pollers = 0;
    await expect.poll(codes, PATIENCE).toEqual(['no-workers', 'no-dispatchers']);
    state.pollers = new Error('away');
    await expect.poll(codes, PATIENCE).toEqual(['temporal-away', 'no-dispatchers']);
  });

  test('a backlog, and occurrences not delivered by their next attempt', async () => {
    await plant({ due_at: at(-10 * MINUTE) });
    await expect.poll(codes, PATIENCE).toEqual(['backlog']);
    await plant({
      due_at: at(-20 * MINUTE),
      next_attempt_at: at(MINUTE),
      attempts: 1,
      first_attempt_at: at(-20 * MINUTE),
    });
    await expect.poll(codes, PATIENCE).toEqual(['backlog', 'not-delivered']);
  });

  test('changes that wait or were parked, and unknown zones', async () => {
    await api.send('POST', '/v1/users', ADA);
    await api.sql(`update users.outbox set occurred_at = users.clock() - interval '2 minutes'`);
    await expect.poll(codes, PATIENCE).toEqual(['outbox-old']);
    await api.sql('update users.outbox set parked_at = users.clock()');
    await plant({ due_at: null, local_date: null });
    await expect.poll(codes, PATIENCE).toEqual(['outbox-parked', 'unknown-zones']);
  });

  test('occurrences that the last audit could not account for', async () => {
    const day = { date: '2026-05-19', auditedAt: at(-MINUTE), due: 7 };
    state.audited = [{ ...day, unaccounted: 2 }];
    await expect.poll(codes, PATIENCE).toEqual(['unaccounted']);
    expect((await status()).lastAudit).toEqual([{ ...day, unaccounted: 2 }]);
  });

  test('a process that is down, and a database that cannot be used', async () => {
    state.checks = [
      { name: 'worker', ready: false, detail: 'down' },
      { name: 'database', ready: false, detail: 'it is read-only' },
    ];
    await expect.poll(codes, PATIENCE).toEqual(['process-down', 'database-away']);
  });
});
