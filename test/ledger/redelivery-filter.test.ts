import { randomUUID } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { OccurrencePlace } from '../../src/ledger/occurrence-filter.ts';
import { ONLY_BY_NAME, type RedeliveryFilter } from '../../src/ledger/redelivery.ts';
import type { OccurrenceState } from '../../src/ledger/types.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';
import { ANY, useRedeliveryFixture } from './redelivery-fixture.ts';

const NOW = Date.UTC(2026, 5, 1);
const NINE = Date.UTC(2026, 4, 20, 7);

const fixture = useRedeliveryFixture();

async function add({
  state = 'FAILED' as OccurrenceState,
  reason = 'refused',
  dueAt = NINE,
  settledAt = NINE + 1000,
  timezone = 'Europe/Berlin',
  userId = '',
} = {}): Promise<string> {
  const { sql, addUser } = fixture.ledger.rows;
  const isGivenUp = state === 'FAILED' || state === 'SKIPPED';
  const isSettled = isGivenUp || state === 'COMPLETED';
  return plantOccurrence(sql, {
    user_id: userId === '' ? await addUser() : userId,
    state,
    due_at: new Date(dueAt),
    timezone,
    ...(isGivenUp && { reason }),
    ...(isSettled && { settled_at: new Date(settledAt) }),
  });
}

/** What the filter has sent again, which must be as many as it counts. */
async function redelivered(fields: Partial<RedeliveryFilter> = {}): Promise<string[]> {
  const filter = { ...ANY, ...fields };
  const { matching } = await fixture.redelivery.count(filter);
  const page = await fixture.redelivery.redeliverPage(filter, NOW, null, 100);
  expect(page).toHaveLength(matching);
  return page.map(({ key }) => key);
}

describe('a filter', () => {
  test('includes FAILED and SKIPPED occurrences, and nothing else', async () => {
    for (const state of ['PENDING', 'PROCESSING', 'COMPLETED'] as const) await add({ state });
    const skipped = await add({ state: 'SKIPPED', dueAt: NINE + 1 });
    const failed = await add();
    expect(await redelivered({ status: 'SKIPPED' })).toEqual([skipped]);
    const another = await add({ state: 'SKIPPED', dueAt: NINE + 2 });
    expect(await redelivered()).toEqual([failed, another]);
    expect(await redelivered()).toEqual([]);
    expect(await fixture.ledger.rows.find(failed)).toMatchObject({
      state: 'PENDING',
      redeliveries: 1,
      earlierAttempts: 1,
    });
  });

  test('selects by reason, instants (half open), zone, user and occasion type', async () => {
    await add({ reason: 'refused', dueAt: NINE + 1, timezone: 'Asia/Tokyo' });
    const gone = await add({ reason: 'gone', dueAt: NINE });
    expect(await redelivered({ occasionType: 'anniversary' })).toEqual([]);
    expect(await redelivered({ timezone: 'Europe/Paris' })).toEqual([]);
    expect(await redelivered({ reason: 'gone' })).toEqual([gone]);
    const other = await add({ dueAt: NINE });
    expect(await redelivered({ from: NINE, to: NINE + 1 })).toEqual([other]);
    const another = await add();
    expect(await redelivered({ userId: another.split(':')[1] ?? '' })).toEqual([another]);
    expect(await redelivered({ timezone: 'Asia/Tokyo' })).toHaveLength(1);
  });

  test('includes what ended because of a change of the user only if it names the reason', async () => {
    for (const reason of ONLY_BY_NAME) await add({ state: 'SKIPPED', reason });
    const late = await add({ state: 'SKIPPED', reason: 'too_late' });
    expect(await redelivered()).toEqual([late]);
    for (const reason of ONLY_BY_NAME) expect(await redelivered({ reason })).toHaveLength(1);
  });

  test('excludes what has no user, what never had an instant, and what was settled later', async () => {
    const { sql, addUser } = fixture.ledger.rows;
    await add({ userId: randomUUID() });
    await plantOccurrence(sql, { user_id: await addUser(), state: 'SKIPPED', due_at: null });
    const kept = await add({ settledAt: NOW });
    expect(await redelivered()).toEqual([kept]);
    await add({ settledAt: NOW + 1 });
    expect(await fixture.redelivery.redeliverPage(ANY, NOW, null, 10)).toEqual([]);
  });
});

describe('pages', () => {
  test('go through all of both states, each once, even those of one instant', async () => {
    const keys: string[] = [];
    for (let nth = 0; nth < 11; nth++) {
      keys.push(await add({ state: nth % 2 ? 'FAILED' : 'SKIPPED', dueAt: NINE + (nth >> 2) }));
    }
    const seen: string[] = [];
    let page: OccurrencePlace[];
    let after: OccurrencePlace | null = null;
    do {
      page = await fixture.redelivery.redeliverPage(ANY, NOW, after, 3);
      seen.push(...page.map(({ key }) => key));
      after = page.at(-1) ?? null;
    } while (page.length === 3);
    expect(seen.toSorted()).toEqual(keys.toSorted());
  });

  test('skip a row that another transaction has locked, and wait for none', async () => {
    const locked = await add();
    const free = await add({ dueAt: NINE + 1 });
    const redeliver = () => fixture.redelivery.redeliverPage(ANY, NOW, null, 10);
    await fixture.ledger.whileLocked(locked, async () => {
      expect(await redeliver()).toMatchObject([{ key: free }]);
      expect(await fixture.redelivery.count(ANY, NOW)).toMatchObject({ matching: 1 });
    });
    expect(await redeliver()).toMatchObject([{ key: locked }]);
  });

  test('include all matches, however many, and those whose lock is released meanwhile', async () => {
    const count = 2_500;
    const keys = await fixture.ledger.rows.addHerd(count, NINE);
    await fixture.ledger.rows.sql(
      `update events.occurrences set state = 'FAILED', reason = 'gave_up', attempts = 1,
         settled_at = now(), next_attempt_at = null`,
    );
    let redelivering: Promise<number> | undefined;
    await fixture.ledger.whileLocked(keys[0] ?? '', async () => {
      redelivering = fixture.redelivery.redeliverAll(ANY);
      const open = `select count(*)::int as open from events.occurrences where state = 'PENDING'`;
      await expect.poll(() => fixture.ledger.rows.sql(open)).toEqual([{ open: count - 1 }]);
    });
    expect(await redelivering).toBe(count);
    expect(await fixture.redelivery.redeliverAll(ANY)).toBe(0);
  });
});
