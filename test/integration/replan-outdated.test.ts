import { describe, expect, test } from 'vitest';

import { SchedulerAwayError } from '../../src/events/scheduling.ts';
import { NEWER, NOW, OLDER, useReplanFixture } from '../support/replan-fixture.ts';
import { CHANGED_ZONES } from '../support/zone-files.ts';
import { bundledLaw } from '../support/zone-laws.ts';

const fixture = useReplanFixture();
const NOTHING = { examined: 0, restamped: 0, replanned: 0, told: [] };

describe('when newer zone data arrives', () => {
  test('those whose instant it moves plan again, and nobody else is woken', async () => {
    const moved: string[] = [];
    for (const timezone of CHANGED_ZONES) moved.push(await fixture.planned(timezone, '1990-12-10'));
    const same = [
      await fixture.planned('America/Winnipeg', '1990-07-10'),
      await fixture.planned('America/Chicago', '1990-12-10'),
      await fixture.planned('Europe/Berlin', '1992-02-29'),
    ];
    const instantsOf = async (users: string[]) =>
      (await Promise.all(users.map(fixture.planOf))).map((plan) => plan?.fireAt);
    const before = await instantsOf(same);

    const { told, ...summary } = await fixture.comeUp(NEWER);

    expect(summary).toEqual({ examined: 9, restamped: 3, replanned: moved.length });
    expect(told.toSorted()).toEqual(moved.toSorted());
    expect(await instantsOf(same)).toEqual(before);
    for (const userId of [...moved, ...same]) {
      expect(await fixture.planOf(userId)).toMatchObject({
        state: 'PENDING',
        tzVersion: bundledLaw.version,
      });
    }
  });

  test('9:00 in Winnipeg in December is an hour earlier than it was', async () => {
    const userId = await fixture.planned('America/Winnipeg', '1990-12-10');
    expect(await fixture.planOf(userId)).toMatchObject({ fireAt: '2026-12-10T15:00Z' });
    await fixture.comeUp(NEWER);
    expect(await fixture.planOf(userId)).toMatchObject({ fireAt: '2026-12-10T14:00Z' });
  });

  test('a second start finds nothing to do', async () => {
    await fixture.planned('America/Winnipeg', '1990-12-10');
    await fixture.planned('Europe/Berlin', '1990-12-10');
    await fixture.comeUp(NEWER);
    expect(await fixture.comeUp(NEWER)).toEqual(NOTHING);
  });

  test('going back to older data is the same in the other direction', async () => {
    const userId = await fixture.planned('America/Winnipeg', '1990-12-10', NEWER);
    expect(await fixture.comeUp(OLDER)).toMatchObject({ restamped: 0, told: [userId] });
    expect(await fixture.planOf(userId)).toMatchObject({ fireAt: '2026-12-10T15:00Z' });
  });

  test('a zone that it brings is planned, and one that it does not know waits as before', async () => {
    const recent = await fixture.planned('America/Coyhaique', '1990-12-10');
    const unknown = await fixture.planned('Mars/Olympus_Mons', '1990-12-10');
    expect(await fixture.planOf(recent)).toMatchObject({ fireAt: null });

    expect(await fixture.comeUp(NEWER)).toMatchObject({
      examined: 2,
      restamped: 1,
      told: [recent],
    });

    expect(await fixture.planOf(recent)).toMatchObject({
      fireAt: '2026-12-10T12:00Z',
      blockedReason: null,
    });
    expect(await fixture.planOf(unknown)).toMatchObject({
      fireAt: null,
      tzVersion: bundledLaw.version,
      blockedReason: expect.stringContaining('Mars/Olympus_Mons'),
    });
  });

  test('a zone that the data in use does not know any more is blocked, for an operator to see', async () => {
    const userId = await fixture.planned('America/Coyhaique', '1990-12-10', NEWER);
    expect(await fixture.comeUp(OLDER)).toMatchObject({ told: [userId] });
    expect(await fixture.planOf(userId)).toMatchObject({
      fireAt: null,
      blockedReason: expect.stringContaining('America/Coyhaique'),
    });
  });
});

describe('when a setting that decides dates has changed', () => {
  test('another local time moves everybody, the soonest first', async () => {
    const december = await fixture.planned('Europe/Berlin', '1990-12-01', NEWER);
    const may = await fixture.planned('Asia/Tokyo', '1990-05-20', NEWER);
    const tomorrow = await fixture.planned('UTC', '1990-11-24', NEWER);
    const evening = { ...NEWER, localTime: '18:30' };
    expect(await fixture.comeUp(evening)).toMatchObject({ told: [tomorrow, december, may] });
    expect(await fixture.planOf(may)).toMatchObject({ fireAt: '2027-05-20T09:30Z' });
  });

  test('another leap-day rule moves those of 29 February, in common years only', async () => {
    const leapling = await fixture.planned('Europe/Berlin', '2000-02-29', NEWER);
    const other = await fixture.planned('Europe/Berlin', '2000-02-28', NEWER);
    const { told, restamped } = await fixture.comeUp({ ...NEWER, leapDayPolicy: 'mar1' });
    expect({ told, restamped }).toEqual({ told: [leapling], restamped: 1 });
    expect(await fixture.planOf(leapling)).toMatchObject({ fireAt: '2027-03-01T08:00Z' });
    expect(await fixture.planOf(other)).toMatchObject({ fireAt: '2027-02-28T08:00Z' });
  });

  test('and brings back a day that was past by the old rule, though next year is the same', async () => {
    // Created in the evening of 28 February 2027: by the old rule the next is 29 February 2028.
    const evening = Date.UTC(2027, 1, 28, 20);
    const userId = await fixture.planned('Europe/Berlin', '2000-02-29', NEWER, evening);
    expect(await fixture.planOf(userId)).toMatchObject({ fireAt: '2028-02-29T08:00Z' });
    const mar1 = { ...NEWER, leapDayPolicy: 'mar1' } as const;
    expect(await fixture.comeUp(mar1, { now: evening })).toMatchObject({ told: [userId] });
    expect(await fixture.planOf(userId)).toMatchObject({ fireAt: '2027-03-01T08:00Z' });
  });
});

describe('what is armed', () => {
  test('is taken back when its instant moves, as long as nothing was sent', async () => {
    const armed = await fixture.planned('America/Winnipeg', '1990-12-10');
    const tried = await fixture.planned('America/Winnipeg', '1990-12-10');
    await arm(armed, 0);
    await arm(tried, 1);
    expect(await fixture.comeUp(NEWER)).toMatchObject({ told: [armed] });
    expect(await fixture.planOf(armed)).toMatchObject({
      state: 'PENDING',
      fireAt: '2026-12-10T14:00Z',
    });
    expect(await fixture.planOf(tried)).toMatchObject({ state: 'PROCESSING', tzVersion: '2026c' });
  });

  test('is not touched when it is due when it was', async () => {
    const userId = await fixture.planned('Europe/Berlin', '1990-12-10');
    await arm(userId, 0);
    expect(await fixture.comeUp(NEWER)).toEqual({ ...NOTHING, examined: 1 });
    expect(await fixture.planOf(userId)).toMatchObject({ state: 'PROCESSING', tzVersion: '2026c' });
  });
});

describe('a worker that is replanning', () => {
  test('and dies halfway, leaves the rest to the next: nobody is told twice', async () => {
    const users = new Set<string>();
    for (let day = 10; day < 30; day += 1) {
      users.add(await fixture.planned('America/Winnipeg', `1990-12-${day}`));
    }
    const told: string[] = [];
    const dying = fixture.follow(NEWER, told);
    const away = {
      ...dying,
      replan: (...message: Parameters<typeof dying.replan>) =>
        told.length < 10
          ? dying.replan(...message)
          : Promise.reject(new SchedulerAwayError('gone')),
    };
    await expect(fixture.comeUp(NEWER, { scheduler: away })).rejects.toThrow(SchedulerAwayError);

    const next = await fixture.comeUp(NEWER);

    expect(told).toHaveLength(10);
    expect(new Set([...told, ...next.told])).toEqual(users);
    expect(next.told).toHaveLength(10);
  });

  test('ends when it is asked to, between two batches', async () => {
    for (let day = 10; day < 30; day += 1) await fixture.planned('Cuba', `1990-12-${day}`);
    const stopping = new AbortController();
    const told: string[] = [];
    const { replan } = fixture.follow(NEWER, told);
    const stopAtOnce = {
      replan: (...message: Parameters<typeof replan>) => {
        stopping.abort();
        return replan(...message);
      },
    };
    const { replanned } = await fixture.comeUp(NEWER, {
      scheduler: stopAtOnce,
      stopping: stopping.signal,
    });
    expect(replanned).toBe(10);
    expect(told).toHaveLength(10);
  });

  test('beside another, comes to the same', async () => {
    const moved = await fixture.planned('America/Winnipeg', '1990-12-10');
    const same: string[] = [];
    for (let day = 10; day < 25; day += 1) {
      same.push(await fixture.planned('Europe/Paris', `1990-12-${day}`));
    }
    const summaries = await Promise.all([1, 2, 3].map(() => fixture.comeUp(NEWER)));
    expect(summaries.flatMap(({ told }) => told)).toContain(moved);
    const restamped = summaries.reduce((sum, summary) => sum + summary.restamped, 0);
    expect(restamped).toBeGreaterThanOrEqual(15);
    for (const userId of [moved, ...same]) {
      expect(await fixture.planOf(userId)).toMatchObject({ tzVersion: bundledLaw.version });
    }
  });

  test('goes through more than a page of those who share an instant', async () => {
    await fixture.rows.sql(
      `with herd as (
         insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
           created_at, updated_at, facts_changed_at)
         select gen_random_uuid(), 'Herd', n::text, '1990-12-10', 'Europe/Berlin', 1, now(), now(), now()
         from generate_series(1, 2500) as n
         returning id)
       insert into events.occurrences (key, event_type, user_id, year, state, anchor_date, timezone,
         local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at)
       select 'birthday:' || id || ':2026', 'birthday', id, 2026, 'PENDING', '1990-12-10',
         'Europe/Berlin', '09:00', 'feb28', '2026c', '2026-12-10', '2026-12-10T08:00Z',
         to_timestamp(?::float8 / 1000)
       from herd`,
      [NOW],
    );
    expect(await fixture.comeUp(NEWER)).toMatchObject({
      examined: 2500,
      restamped: 2500,
      told: [],
    });
    expect(await fixture.comeUp(NEWER)).toEqual(NOTHING);
  });
});

async function arm(userId: string, attempts: number): Promise<void> {
  await fixture.rows.sql(
    `update events.occurrences
     set state = 'PROCESSING', next_attempt_at = fire_at, attempts = ? where user_id = ?`,
    [attempts, userId],
  );
}
