import { describe, expect, test } from 'vitest';

import type { Backpressure } from '../../src/delivery/backpressure/backpressure.ts';
import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createLedgerState } from '../../src/ledger/ledger-state.ts';
import {
  attemptOf,
  HOUR,
  LATE_AFTER_MS,
  MINUTE,
  SECOND,
  useLedgerFixture,
} from './ledger-fixture.ts';

const fixture = useLedgerFixture();

const STOP: Backpressure = { asks: 'stop', retryAfterMs: HOUR };

const LIMITS = { lateAfterMs: LATE_AFTER_MS, lateLimitMs: 48 * HOUR };
const control = () => createDeliveryControl(fixture.database.orm, LIMITS);
const state = () => createLedgerState(fixture.database.orm, { lateAfterMs: LATE_AFTER_MS });

describe('a pause', () => {
  test('keeps its first instant, and the last reason', async () => {
    await control().pause('maintenance');
    const { pausedAt } = await control().findDestination();
    await fixture.rows.shiftClock(MINUTE);
    await control().pause(null);
    expect(await control().findDestination()).toMatchObject({
      pausedAt,
      pauseReason: 'maintenance',
      slowDown: null,
    });
    await control().pause('still maintenance');
    expect(await control().findDestination()).toMatchObject({
      pausedAt,
      pauseReason: 'still maintenance',
    });
  });

  test('restores everything when it ends; resuming twice is harmless', async () => {
    await fixture.planned(Date.now() - SECOND);
    await control().pause('maintenance');
    await control().resume();
    await control().resume();
    expect(await control().findDestination()).toMatchObject({
      pausedAt: null,
      pauseReason: null,
      slowDown: null,
    });
    expect(await fixture.claimed()).toHaveLength(1);
  });

  test('that ends also ends a slow-down', async () => {
    await fixture.planned(Date.now() - SECOND);
    await fixture.ledger.applyThrottle(STOP);
    await control().resume();
    expect(await fixture.claimed()).toHaveLength(1);
  });

  test('leaves rows that have become late behind those that are punctual by then', async () => {
    await control().pause(null);
    const waited = await fixture.planned(Date.now() - MINUTE);
    await fixture.setClocks(10 * MINUTE);
    const punctual = await fixture.planned(Date.now() + 9 * MINUTE);
    await control().resume();
    expect(await fixture.claimed(1)).toMatchObject([{ key: punctual, late: false }]);
    expect(await fixture.claimed(1)).toMatchObject([{ key: waited, late: true }]);
  });
});

describe('what waits', () => {
  test('is nothing at first', async () => {
    expect((await control().countWaiting()).all).toEqual({
      due: 0,
      retrying: 0,
      sending: 0,
      tooLate: 0,
      firstTooLateAt: null,
    });
    expect(await state().lateBacklog()).toEqual({ count: 0, latenessMs: null });
  });

  test('includes what is past due, being sent or retried, and what is too late for a first attempt', async () => {
    const now = Date.now();
    const retried = await fixture.planned(now - 50 * HOUR);
    const next = { kind: 'retry', at: now + HOUR, notBefore: null } as const;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), next)]);
    await fixture.planned(now - SECOND);
    await fixture.claimOne();
    await fixture.planned(now - 49 * HOUR);
    await fixture.planned(now - 47 * HOUR);
    await fixture.planned(now - MINUTE);
    await fixture.planned(now + HOUR);
    expect(await fixture.rows.find(retried)).toMatchObject({ state: 'PENDING' });

    const { firstTooLateAt, ...counts } = (await control().countWaiting()).all;
    expect(counts).toEqual({ due: 3, retrying: 1, sending: 1, tooLate: 1 });
    expect(firstTooLateAt).toBeCloseTo(now + HOUR, -1);

    const { oldestOpenAgeMs, ...open } = await state().counts();
    expect(open).toEqual({
      dueSoon: 5,
      leased: 1,
      backlog: 3,
      retrying: 1,
      deadLetters: 0,
      blocked: 0,
    });
    expect(Math.abs(oldestOpenAgeMs - 50 * HOUR)).toBeLessThan(MINUTE);
  });

  test('is too late by the limit of its type, if that has its own, or sends nothing late', async () => {
    const now = Date.now();
    await fixture.planned(now - 3 * HOUR);
    await fixture.planned(now - HOUR);
    await fixture.planned(now - MINUTE);
    const tooLate = async () => (await control().countWaiting()).all;
    await fixture.rows.sql(
      `insert into events.occasion_types (type, late_limit_ms) values ('birthday', ?)`,
      [2 * HOUR],
    );
    const { tooLate: past, firstTooLateAt } = await tooLate();
    expect(past).toBe(1);
    expect(firstTooLateAt).toBeCloseTo(now + HOUR, -1);
    await fixture.rows.sql(`update events.occasion_types set when_late = 'skip'`);
    expect((await tooLate()).tooLate).toBe(2);
    await fixture.rows.sql('truncate events.occasion_types');
    expect((await tooLate()).tooLate).toBe(0);
  });

  test('late and without an attempt is the backlog that downtime leaves', async () => {
    const now = Date.now();
    await fixture.planned(now - HOUR);
    const next = { kind: 'retry', at: now + MINUTE, notBefore: null } as const;
    await fixture.ledger.record([attemptOf(await fixture.claimOne(), next)]);
    await fixture.planned(now - 2 * HOUR);
    await fixture.claimOne();
    await fixture.planned(now - 3 * HOUR);
    await fixture.planned(now - SECOND);
    const redelivered = await fixture.planned(now - 4 * HOUR);
    await fixture.rows.sql(
      `update events.occurrences set redeliveries = 1, redelivered_at = now() where key = ?`,
      [redelivered],
    );
    const { count, latenessMs } = await state().lateBacklog();
    expect(count).toBe(2);
    expect(latenessMs).toBeGreaterThanOrEqual(3 * HOUR - SECOND);
    expect(latenessMs).toBeLessThan(3 * HOUR + MINUTE);
  });
});
