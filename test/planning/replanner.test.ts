import { rmSync } from 'node:fs';

import { pino } from 'pino';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { createDispatchersFirst } from '../../src/planning/pace/dispatchers-first.ts';
import { createOccasionTypes } from '../../src/occasion-types/occasion-types.ts';
import { createReplanner, replanOutdated } from '../../src/planning/replanner.ts';
import { presentRules, readRules, recordRules } from '../../src/planning/rules.ts';
import type { Planner } from '../../src/planning/planner.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { occasionFields } from '../support/occasions.ts';
import { birthdayOf, HOUR, keyOf, usePlanningFixture } from '../support/planning-fixture.ts';
import { CHANGED_ZONES, writeOlderTzData } from '../support/tz-data-files.ts';
import { bundledTz } from '../support/tz-databases.ts';

const NOW = Date.UTC(2026, 10, 23);
const olderFile = writeOlderTzData();
const olderTz = loadTzDatabase(olderFile);
const logger = pino({ level: 'silent' });

const fixture = usePlanningFixture();
const isLeftToDispatchers = async (): Promise<boolean> => false;
beforeEach(async () => {
  await fixture.rows.sql('truncate events.rules');
  await fixture.setClock(NOW);
  await record({ tzVersion: olderTz.version });
});
afterAll(() => rmSync(olderFile));

describe('when a newer tz database is recorded', () => {
  test('plans made with the older one are made again, those that it moves at their new instant', async () => {
    const moved = await planned('America/Winnipeg', '1990-12-10');
    const same = await planned('Europe/Berlin', '1992-02-29');
    const before = await fixture.rows.find(keyOf(same, 2027));
    await record({ tzVersion: bundledTz.version });
    expect(await replan()).toEqual({ outdated: 2, left: 0 });
    expect(await dueAtOf(moved)).toBe('2026-12-10T14:00Z');
    expect(await fixture.rows.find(keyOf(same, 2027))).toMatchObject({
      dueAt: before.dueAt,
      nextAttemptAt: before.nextAttemptAt,
    });
    expect(await replan()).toEqual({ outdated: 0, left: 0 });
  });

  test('an occasion in a zone that is known now is planned', async () => {
    const userId = await planned('America/Coyhaique', '1990-12-10');
    expect(await dueAtOf(userId)).toBeNull();
    await record({ tzVersion: bundledTz.version });
    await replan();
    expect(await dueAtOf(userId)).not.toBeNull();
  });

  test('a process that still has the older one replans nothing, and undoes nothing', async () => {
    const userId = await planned(CHANGED_ZONES[0] ?? '', '1990-12-10');
    await record({ tzVersion: bundledTz.version });
    let plans = 0;
    const old = createReplanner({
      orm: fixture.database.orm,
      planner: {
        ...fixture.planner,
        plan: (refs) => {
          plans += 1;
          return fixture.planner.plan(refs);
        },
      },
      tzVersion: olderTz.version,
      isLeftToDispatchers,
      logger: pino({}, { write: (line: string) => void logged.push(line) }),
    });
    const logged: string[] = [];
    old.start();
    onTestFinished(() => old.stop());
    await expect.poll(() => logged.join(), { timeout: 60_000 }).toContain('another tz database');
    expect(plans).toBe(0);
    expect(await tzVersionOf(userId)).toBe(olderTz.version);

    const present = createReplanner({
      orm: fixture.database.orm,
      planner: fixture.planner,
      tzVersion: bundledTz.version,
      isLeftToDispatchers,
      logger,
    });
    present.start();
    onTestFinished(() => present.stop());
    await expect.poll(() => tzVersionOf(userId), { timeout: 60_000 }).toBe(bundledTz.version);
  });
});

describe('when other settings are recorded', () => {
  test('future plans move to the new local time; what fell due stays', async () => {
    const toCome = await planned('Europe/Berlin', '1990-12-10', bundledTz);
    const due = await planned('Europe/Berlin', '1990-11-23', bundledTz);
    await fixture.setClock(NOW + 9 * HOUR);
    const before = await fixture.rows.find(keyOf(due));
    await record({ localTime: '07:30', tzVersion: bundledTz.version });
    await replan();
    expect(await dueAtOf(toCome)).toBe('2026-12-10T06:30Z');
    expect(await fixture.rows.find(keyOf(due))).toEqual(before);
  });

  test('leaplings are kept on the other day', async () => {
    const userId = await planned('Europe/Berlin', '1992-02-29', bundledTz);
    expect(await dueAtOf(userId)).toBe('2027-02-28T08:00Z');
    await record({ leapDayPolicy: 'mar1', tzVersion: bundledTz.version });
    await replan();
    expect(await dueAtOf(userId)).toBe('2027-03-01T08:00Z');
  });
});

describe('when an occasion type gets other settings', () => {
  const DAILY = { type: 'standup', date: '2026-11-24', recurrence: 'daily' };
  /** Planned for 24 November, 9:00 in Berlin. */
  async function addDaily(fields = {}): Promise<string> {
    await record({ tzVersion: bundledTz.version });
    const userId = await fixture.rows.addUser();
    const input = occasionFields({ ...DAILY, ...fields });
    const occasion = await fixture.occasions.create(userId, input);
    await fixture.planOccasion(occasion);
    return userId;
  }

  test('its plans are made again, those of other types are not', async () => {
    const follows = await addDaily();
    const own = await addDaily({ deliveryTime: '10:00' });
    const other = await addDaily({ type: 'reminder' });
    await fixture.setType('standup', { deliveryTime: '08:00' });
    expect(await replan()).toEqual({ outdated: 2, left: 0 });
    expect(await dueAtOf(follows)).toBe('2026-11-24T07:00Z');
    expect(await dueAtOf(own)).toBe('2026-11-24T09:00Z');
    expect(await dueAtOf(other)).toBe('2026-11-24T08:00Z');
    expect(await replan()).toEqual({ outdated: 0, left: 0 });
  });

  test('waiting rows move to its new destination, and keep their instants', async () => {
    const userId = await addDaily();
    const destination = async () =>
      fixture.rows.sql(`select destination from events.occurrences where user_id = ?`, [userId]);
    await fixture.setClock(NOW + 33 * HOUR);
    await fixture.setType('standup', { deliveryTime: '08:00', destination: 'crm' });
    expect(await replan()).toEqual({ outdated: 1, left: 0 });
    expect(await dueAtOf(userId)).toBe('2026-11-24T08:00Z');
    expect(await destination()).toEqual([{ destination: 'crm' }]);
    expect(await replan()).toEqual({ outdated: 0, left: 0 });
  });

  test('a waiting redelivery moves there too, although no plan is made for it', async () => {
    const userId = await addDaily();
    await fixture.setClock(NOW + 33 * HOUR);
    await fixture.send('refused');
    const [{ key } = { key: '' }] = await fixture.rows.sql<{ key: string }>(
      'select key from events.occurrences where user_id = ?',
      [userId],
    );
    await fixture.redelivery.redeliver(key, { force: false });
    await fixture.setType('standup', { destination: 'crm' });
    expect(await replan()).toEqual({ outdated: 1, left: 0 });
    expect(
      await fixture.rows.sql('select key, destination, state from events.occurrences'),
    ).toEqual([{ key, destination: 'crm', state: 'PENDING' }]);
    expect(await replan()).toEqual({ outdated: 0, left: 0 });
  });

  describe('once an occasion has ended', () => {
    /** Today, 9:00 in Berlin; created during that day. */
    async function addOnce(createdAt: number) {
      await record({ tzVersion: bundledTz.version });
      await fixture.setClock(createdAt);
      const userId = await fixture.rows.addUser();
      const input = occasionFields({ type: 'once', date: '2026-11-23', recurrence: 'once' });
      const occasion = await fixture.occasions.create(userId, input);
      return { ...occasion, plan: () => fixture.planOccasion(occasion) };
    }
    const NINE = NOW + 8 * HOUR;
    /** At noon, the time moves to 18:00. */
    async function moveAtNoon() {
      await fixture.setClock(NOW + 11 * HOUR);
      await fixture.setType('once', { deliveryTime: '18:00' });
    }

    test('an occurrence that was past at its creation is to come, and is planned', async () => {
      const { userId, plan } = await addOnce(NINE + HOUR);
      expect(await plan()).toMatchObject({ kind: 'ended' });
      await moveAtNoon();
      expect(await replan()).toEqual({ outdated: 1, left: 0 });
      expect(await dueAtOf(userId)).toBe('2026-11-23T17:00Z');
      expect(await replan()).toEqual({ outdated: 0, left: 0 });
    });

    test('an occurrence that was SKIPPED during a suspension is to come, and is planned', async () => {
      const { id, userId, plan } = await addOnce(NOW);
      await plan();
      await fixture.occasions.update(userId, id, { suspended: true });
      await fixture.setClock(NINE + HOUR);
      expect(await plan()).toMatchObject({ kind: 'ended' });
      await fixture.occasions.update(userId, id, { suspended: false });
      expect(await plan()).toMatchObject({ kind: 'ended' });
      await moveAtNoon();
      await replan();
      expect(await dueAtOf(userId)).toBe('2026-11-23T17:00Z');
    });

    test('a delivered occurrence is not sent again, and a deleted occasion stays deleted', async () => {
      const [{ userId, plan }, gone] = [await addOnce(NOW), await addOnce(NOW)];
      await plan();
      await gone.plan();
      await fixture.occasions.delete(gone.userId, gone.id);
      await gone.plan();
      await fixture.setClock(NINE);
      await fixture.send('delivered');
      await plan();
      await moveAtNoon();
      expect(await replan()).toEqual({ outdated: 1, left: 0 });
      expect(await dueAtOf(userId)).toBeUndefined();
      expect(await dueAtOf(gone.userId)).toBeUndefined();
      expect(await replan()).toEqual({ outdated: 0, left: 0 });
    });

    test('days ago, it is left alone', async () => {
      const { plan } = await addOnce(NINE + HOUR);
      await plan();
      await fixture.setClock(NINE + 8 * 24 * HOUR);
      await fixture.setType('once', { deliveryTime: '18:00' });
      expect(await replan()).toEqual({ outdated: 0, left: 0 });
    });
  });

  function startLoop(isLeft = isLeftToDispatchers): void {
    const { orm } = fixture.database;
    const { planner } = fixture;
    const tzVersion = bundledTz.version;
    const loop = createReplanner({ orm, planner, tzVersion, isLeftToDispatchers: isLeft, logger });
    loop.start();
    onTestFinished(() => loop.stop());
  }

  test('the loop sees it within seconds', async () => {
    const userId = await addDaily();
    startLoop();
    await fixture.setType('standup', { deliveryTime: '08:00' });
    await expect.poll(() => dueAtOf(userId)).toBe('2026-11-24T07:00Z');
    await fixture.setType('standup', { deliveryTime: '07:00' });
    await expect.poll(() => dueAtOf(userId)).toBe('2026-11-24T06:00Z');
  });

  test('a hanging destination, whose dispatchers are always busy, delays it only for a time', async () => {
    const userId = await addDaily();
    await fixture.rows.sql(
      `insert into events.dispatchers (id, destination, stamped_at, busy_at)
       values (gen_random_uuid(), 'crm', events.clock(), events.clock())`,
    );
    onTestFinished(async () => {
      await fixture.rows.sql('truncate events.dispatchers');
    });
    startLoop(createDispatchersFirst(fixture.database.orm, 200));
    await fixture.setType('standup', { deliveryTime: '08:00' });
    await expect.poll(() => dueAtOf(userId)).toBe('2026-11-24T07:00Z');
  });
});

describe('rules that are recorded at the same time', () => {
  const waits = (locktype: string) => async () => {
    const [found] = await fixture.rows.sql<{ isWaiting: boolean }>(
      `select exists (
         select from pg_locks join pg_database as d on d.oid = database
         where datname = current_database() and locktype = ? and not granted) as "isWaiting"`,
      [locktype],
    );
    return found?.isWaiting === true;
  };
  const LATER = {
    localTime: '07:30',
    leapDayPolicy: 'feb28',
    tzVersion: bundledTz.version,
  } as const;

  test('by the installation and a type: what was planned between the two is planned again', async () => {
    const userId = await planned('Europe/Berlin', '1990-12-10', bundledTz);
    await record({ tzVersion: bundledTz.version });
    const types = createOccasionTypes(fixture.database.orm);
    const other = { message: null, lateLimitMs: null, whenLate: null, destination: null };
    let isPut = false;
    const put = await fixture.database.orm.em.fork().transactional(async (em) => {
      await recordRules(em, LATER);
      const put = types
        .put('birthday', { ...other, deliveryTime: null, leapDayPolicy: 'mar1' })
        .finally(() => {
          isPut = true;
        });
      await expect.poll(async () => isPut || (await waits('advisory')())).toBe(true);
      await fixture.plan(userId);
      return { put };
    });
    await put.put;
    await replan();
    expect(await dueAtOf(userId)).toBe('2026-12-10T06:30Z');
  });

  test('while a plan reads them: the plan follows the new ones, or is made again', async () => {
    const userId = await planned('Europe/Berlin', '1990-12-10', bundledTz);
    await record({ tzVersion: bundledTz.version });
    const planning = await fixture.database.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table events.occasion_types in access exclusive mode');
      const plan = fixture.plan(userId);
      await expect.poll(waits('relation')).toBe(true);
      await recordRules(em, LATER);
      return { plan };
    });
    await planning.plan;
    await replan();
    expect(await dueAtOf(userId)).toBe('2026-12-10T06:30Z');
  });
});

test('more rows than a page are gone through, and none twice', async () => {
  await fixture.rows.addHerd(2_500, Date.UTC(2027, 4, 20, 7));
  await record({ localTime: '07:30', tzVersion: bundledTz.version });
  const seen: string[] = [];
  const planner: Planner = {
    ...fixture.planner,
    async plan(refs) {
      seen.push(...refs.map(({ id }) => id));
      return [];
    },
  };
  expect(await replan(planner)).toEqual({ outdated: 2_500, left: 0 });
  expect(new Set(seen).size).toBe(2_500);
  expect(seen).toHaveLength(2_500);

  // Up to date, except for the last one.
  await fixture.rows.sql(
    `update events.occurrences set rules_id = (select max(id) from events.rules), tz_version = :tzVersion
     where key <> (select max(key) from events.occurrences)`,
    { tzVersion: bundledTz.version },
  );
  expect(await replan(planner)).toEqual({ outdated: 1, left: 0 });
});

async function planned(timezone: string, dateOfBirth: string, tz = olderTz): Promise<string> {
  const userId = await fixture.rows.addUser({ timezone, dateOfBirth, createdAt: NOW - HOUR });
  await fixture.plannerWith({ tz }).plan([birthdayOf(userId)]);
  return userId;
}

async function record(rules: {
  localTime?: string;
  leapDayPolicy?: 'feb28' | 'mar1';
  tzVersion: string;
}): Promise<void> {
  const preset = { localTime: '09:00', leapDayPolicy: 'feb28' } as const;
  await recordRules(fixture.database.orm.em.fork(), { ...preset, ...rules });
}

async function replan(planner = fixture.planner) {
  const { orm } = fixture.database;
  const rules = presentRules(await readRules(orm.em.fork()));
  return replanOutdated({ orm, planner, rules });
}

async function dueAtOf(userId: string): Promise<string | null | undefined> {
  return (await openRowOf(userId))?.dueAt;
}

async function tzVersionOf(userId: string): Promise<string | undefined> {
  return (await openRowOf(userId))?.tzVersion;
}

async function openRowOf(userId: string) {
  const [row] = await fixture.rows.sql<{ dueAt: string | null; tzVersion: string }>(
    `select to_char(due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') as "dueAt",
       tz_version as "tzVersion"
     from events.occurrences where user_id = :userId and state = 'PENDING'`,
    { userId },
  );
  return row;
}
