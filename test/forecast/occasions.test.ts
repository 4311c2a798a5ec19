/**
 * The forecast of occasions of every kind, compared with each occasion by itself and the planner's
 * own plans.
 */
import { describe, expect, test } from 'vitest';

import {
  type ForecastFilter,
  type ForecastListItem,
  type ForecastListPlace,
  listForecast,
} from '../../src/forecast/forecast-list.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import type { Window } from '../../src/forecast/window.ts';
import { DAY, HOUR, type OccasionInputs, useAuditFixture } from '../support/audit-fixture.ts';
import { bundledTz } from '../support/tz-databases.ts';

const fixture = useAuditFixture();

/** A Wednesday. */
const NOW = Date.UTC(2026, 4, 20, 12);
const USER = { dateOfBirth: '1990-11-11', timezone: 'UTC' };
const ANY: ForecastFilter = { type: null, timezone: null };

const deps = () => ({ orm: fixture.orm, tz: bundledTz, clock: () => NOW });

type Given = Partial<OccasionInputs> & Pick<OccasionInputs, 'recurrence'>;

/** For a user of its own, in UTC, from now on. */
async function add(inputs: Given, isPlanned = false): Promise<string> {
  const userId = await fixture.add(USER, NOW, false);
  const occasion = { type: 'reminder', ...inputs };
  return fixture.addOccasion(userId, occasion, NOW, isPlanned);
}

async function daysDue(window: Window, type: string | null = null): Promise<string[]> {
  const { minutes } = await forecast(deps(), window, type);
  return (minutes ?? []).flatMap(({ at, due }) => Array<string>(due).fill(at.slice(0, 10)));
}

/** All pages of the list. */
async function listed(window: Window, limit = 3, filter = ANY): Promise<ForecastListItem[]> {
  const items: ForecastListItem[] = [];
  let place: ForecastListPlace | null = null;
  do {
    const page: Awaited<ReturnType<typeof listForecast>> = await listForecast(
      deps(),
      window,
      filter,
      place,
      limit,
    );
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    place = page.next;
  } while (place !== null);
  return items;
}

const until = (days: number): Window => ({ from: NOW, until: NOW + days * DAY });

describe('what falls due', () => {
  test.each<[string, Given, readonly string[]]>([
    ['daily', { recurrence: 'daily', date: '2026-05-01' }, ['2026-05-21', '2026-05-22']],
    ['daily, from a later day on', { recurrence: 'daily', date: '2026-05-22' }, ['2026-05-22']],
    ['weekly', { recurrence: 'weekly', date: '2020-01-02' }, ['2026-05-21']],
    ['monthly', { recurrence: 'monthly', date: '2020-01-22' }, ['2026-05-22']],
    ['once', { recurrence: 'once', date: '2026-05-21' }, ['2026-05-21']],
    ['once, and over', { recurrence: 'once', date: '2026-05-19' }, []],
    [
      'yearly, a week before',
      { type: 'subscription', recurrence: 'yearly', date: '2025-05-29', offsetDays: 7 },
      ['2026-05-22'],
    ],
    [
      'an anniversary, not on its first day',
      { type: 'anniversary', recurrence: 'birthday', date: '2026-05-21' },
      [],
    ],
    [
      'before a birthday',
      { type: 'birthday-reminder', recurrence: 'birthday', date: null, offsetDays: 173 },
      ['2026-05-22'],
    ],
    [
      'by a rule',
      { recurrence: 'rrule', rrule: 'FREQ=MONTHLY;BYDAY=-2FR', date: '2026-01-01' },
      ['2026-05-22'],
    ],
  ])('%s', async (_name, inputs, days) => {
    await add(inputs);
    const window = { from: NOW, until: Date.UTC(2026, 4, 22, 12) };
    expect(await daysDue(window)).toEqual(days);
    const items = await listed(window);
    expect(items.map(({ localDate }) => localDate)).toEqual(days);
    expect(items.every(({ planned }) => !planned)).toBe(true);
  });

  test('on the 31st is on the last day of shorter months, by the policy of its type', async () => {
    await add({ recurrence: 'monthly', date: '2026-01-31' });
    const june = { from: Date.UTC(2026, 5, 29), until: Date.UTC(2026, 6, 3) };
    expect(await daysDue(june)).toEqual(['2026-06-30']);
    await fixture.sql(
      `insert into events.occasion_types (type, leap_day_policy) values ('reminder', 'mar1')`,
    );
    await fixture.sql(
      `insert into events.occasion_type_rules (type, leap_day_policy, valid_from)
       values ('reminder', 'mar1', '2026-05-01')`,
    );
    expect(await daysDue(june)).toEqual(['2026-07-01']);
  });

  test('uses the local time of the occasion, the user, the type or the installation', async () => {
    const once = { recurrence: 'once', date: '2026-05-21' };
    await add({ ...once, type: 'call' });
    await add({ ...once, type: 'call', deliveryTime: '07:00' });
    await add({ ...once });
    await add({ ...once, timezone: 'Asia/Tokyo' });
    await fixture.sql(
      `with type as (insert into events.occasion_types (type, delivery_time) values ('call', '18:30'))
       insert into events.occasion_type_rules (type, delivery_time, valid_from)
       values ('call', '18:30', '2026-05-01')`,
    );
    const { minutes } = await forecast(deps(), until(2));
    expect(minutes?.map(({ at }) => at.slice(11, 16))).toEqual([
      '00:00',
      '07:00',
      '09:00',
      '18:30',
    ]);
  });

  test('is counted by type, and can be limited to one type', async () => {
    await add({ recurrence: 'daily', date: '2026-05-01' });
    await add({ type: 'subscription', recurrence: 'yearly', date: '2025-05-21' });
    await fixture.add({ dateOfBirth: '1990-05-22', timezone: 'UTC' }, NOW - DAY, false);
    const all = await forecast(deps(), until(2));
    const none = { planned: 0, blocked: 0, suspended: 0 };
    expect(all.types).toEqual([
      { type: 'birthday', due: 1, ...none },
      { type: 'reminder', due: 2, ...none },
      { type: 'subscription', due: 1, ...none },
    ]);
    expect(all.due).toBe(4);
    expect(all.minutes?.[0]?.types).toEqual([
      { type: 'reminder', due: 1 },
      { type: 'subscription', due: 1 },
    ]);
    for (const { type, due } of all.types) {
      expect(await forecast(deps(), until(2), type)).toMatchObject({ due, types: [{ type, due }] });
      expect(await listed(until(2), 3, { ...ANY, type })).toHaveLength(due);
    }
  });

  test('excludes what is suspended, planned or not: that is counted separately', async () => {
    const daily = { recurrence: 'daily', date: '2026-05-01' };
    await add({ ...daily, suspended: true });
    const planned = await add(daily, true);
    const window = until(2);
    expect(await forecast(deps(), window)).toMatchObject({ due: 2, planned: 1, suspended: 2 });
    await fixture.sql('update users.users set suspended = true');
    expect(await forecast(deps(), window)).toMatchObject({ due: 0, planned: 0, suspended: 4 });
    expect(await listed(window)).toEqual([]);
    await fixture.sql('update users.users set suspended = false');
    const keys = (await listed(window)).map(({ key, planned: isPlanned }) => [key, isPlanned]);
    expect(keys).toEqual([
      [`reminder:${planned}:2026-05-21`, true],
      [`reminder:${planned}:2026-05-22`, false],
    ]);
  });

  test('is what the planner plans, one occurrence after the other', async () => {
    const occasions: readonly Given[] = [
      { recurrence: 'daily', date: '2026-05-01', timezone: 'Pacific/Apia' },
      { recurrence: 'weekly', date: '2026-05-02', offsetDays: 2 },
      { recurrence: 'monthly', date: '2026-01-31', deliveryTime: '23:30' },
      { recurrence: 'once', date: '2026-06-12', offsetDays: 7 },
      { type: 'subscription', recurrence: 'yearly', date: '2024-06-20', offsetDays: 20 },
      { recurrence: 'rrule', rrule: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR', date: '2026-05-01' },
    ];
    const ids: string[] = [];
    for (const inputs of occasions) ids.push(await add(inputs));
    const window = until(30);
    const before = await forecast(deps(), window);
    const list = await listed(window);

    const dueAts: number[] = [];
    const keys: string[] = [];
    for (const [index, id] of ids.entries()) {
      const type = occasions[index]?.type ?? 'reminder';
      await fixture.plan(id, NOW, type);
      for (;;) {
        const open = await fixture.openOf(id);
        if (open?.dueAt == null || open.dueAt >= window.until) break;
        dueAts.push(open.dueAt);
        keys.push(open.key);
        await fixture.settle(open.key, 'COMPLETED', open.dueAt);
        await fixture.plan(id, open.dueAt + HOUR, type);
      }
    }
    const minutes = before.minutes?.flatMap(({ at, due }) =>
      Array<number>(due).fill(Date.parse(at)),
    );
    expect(minutes).toEqual(dueAts.toSorted((one, other) => one - other));
    expect(list.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
  });
});
