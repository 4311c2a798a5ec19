/** Zone data that this Node does not have: from the API to the plan. */
import { rmSync } from 'node:fs';

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TzDatabase } from '../../src/time/tz-database.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { ADA, createTestApi, type TestApi } from '../support/api.ts';
import { runSql } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import {
  FUTURE_ZONE,
  RECENT_ZONE,
  writeNewerTzData,
  writeOlderTzData,
} from '../support/tz-data-files.ts';
import { bundledTz, nodeTz } from '../support/tz-databases.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const HOUR = 3_600_000;
const olderFile = writeOlderTzData();
const newerFile = writeNewerTzData();
const newerTz = loadTzDatabase(newerFile);

const apis: TestApi[] = [];
const apiBy = async (tz: TzDatabase): Promise<TestApi> => {
  const api = await createTestApi({ tz, clock: () => NOW });
  apis.push(api);
  for (const schema of ['events', 'users']) {
    await api.sql(`create or replace function ${schema}.clock() returns timestamptz
      language sql volatile as 'select to_timestamp(${NOW / 1_000})'`);
  }
  return api;
};
afterAll(async () => {
  for (const { database } of apis) await database.drop();
  rmSync(olderFile);
  rmSync(newerFile);
});

/**
 * Creates a user by the API and plans its birthday as the scheduler does, both with this tz
 * database.
 */
async function createAndPlan(api: TestApi, tz: TzDatabase, timezone: string) {
  const user = { ...ADA, dateOfBirth: '1990-12-10', timezone };
  const created = await api.send('POST', '/v1/users', user);
  expect(created.status).toBe(201);
  const planner = createPlanner({
    orm: api.database.orm,
    settings: {
      tz,
      lateAfterMs: 300_000,
      lateLimitMs: 48 * HOUR,
      wake: { afterMs: 10_000, perSecond: 15 },
    },
    clock: () => NOW,
    logger: pino({ level: 'silent' }),
  });
  await planner.plan([{ type: 'birthday', id: created.body.id }]);
  return (await api.send('GET', `/v1/users/${created.body.id}/occurrences`)).body.next;
}

describe('a user in Winnipeg, where clocks are no longer put back since tz 2026e', () => {
  test.for([
    ['older data', loadTzDatabase(olderFile), '2026-12-10T15:00:00.000Z', '-06:00'],
    ['the bundled data', bundledTz, '2026-12-10T14:00:00.000Z', '-05:00'],
  ] as const)('is greeted at 9:00 as %s has it', async ([, tz, dueAt, utcOffset]) => {
    const next = await createAndPlan(await apiBy(tz), tz, 'America/Winnipeg');
    expect(next).toMatchObject({ dueAt, utcOffset, tzVersion: tz.version });
    expect(next.explanation).toContain(`UTC${utcOffset}`);
  });
});

describe('a zone that only newer data has', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await apiBy(newerTz);
  });

  test('is unknown to this Node', () => {
    expect(nodeTz.isKnown(FUTURE_ZONE)).toBe(false);
  });

  test.for([FUTURE_ZONE, 'Antarctica/Old_Daybell'])('is accepted and planned: %s', async (zone) => {
    const next = await createAndPlan(api, newerTz, zone);
    expect(next).toMatchObject({
      dueAt: '2026-12-10T02:00:00.000Z',
      utcOffset: '+07:00',
      tzVersion: '2099a',
      explanation: expect.stringContaining(`09:00 on Thursday 10 December 2026 in ${zone}`),
    });
  });

  test('can be previewed, and its day of birth is checked against its own clocks', async () => {
    const preview = { dateOfBirth: '1990-12-10', timezone: FUTURE_ZONE };
    const { status, body } = await api.send('POST', '/v1/occurrences/preview', preview);
    expect(status).toBe(200);
    expect(body).toMatchObject({ tzVersion: '2099a', occurrences: [{ localTime: '09:00' }] });
    const unborn = { ...ADA, dateOfBirth: '2026-11-24', timezone: FUTURE_ZONE };
    expect((await api.send('POST', '/v1/users', unborn)).status).toBe(400);
  });

  test.for([
    ['antarctica/new_daybell', /spelt/],
    ['Antarctica/NEW_DAYBELL', /spelt/],
    ['Antarctica/Newer_Daybell', /known/],
  ] as const)('is not %s', async ([timezone, rule]) => {
    const { status, body } = await api.send('POST', '/v1/users', { ...ADA, timezone });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'timezone', rule: expect.stringMatching(rule) }]);
  });

  test('is refused by data that does not have it yet, with the rule', async () => {
    const before = await apiBy(loadTzDatabase(olderFile));
    const user = { ...ADA, timezone: RECENT_ZONE };
    const { status, body } = await before.send('POST', '/v1/users', user);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: 'timezone', rule: expect.stringMatching(/known/) }]);
    expect((await api.send('POST', '/v1/users', user)).status).toBe(201);
  });
});

describe('the process api', () => {
  let DATABASE_URL: string;
  beforeAll(async () => {
    DATABASE_URL = (await apiBy(bundledTz)).database.url;
  });
  const start = (ZONE_DATA: string): TestProcess =>
    untilTestEnds(runProcess('src/api/main.ts', { DATABASE_URL, PORT: '0', ZONE_DATA }));

  test('reports its tz database, in its log and on request', async () => {
    await runSql(DATABASE_URL, "update events.rules set tz_version = '2099a'");
    const api = start(newerFile);
    const started = JSON.parse(await api.line(/"tz database"/));
    expect(started).toMatchObject({ tzVersion: '2099a', from: newerFile });
    const ready = await fetch(`${await urlOf(api)}/readyz`);
    expect(await ready.json()).toMatchObject({ ready: true, tzVersion: '2099a' });
  });

  test('uses the one that migrate recorded, if it is available, and says what has no effect', async () => {
    await runSql(DATABASE_URL, `update events.rules set tz_version = '${bundledTz.version}'`);
    const api = start(newerFile);
    expect(await api.line(/"ZONE_DATA: /)).toMatch(
      `${bundledTz.version} is in force, as \\"npm run migrate\\" recorded it; 2099a here has no effect`,
    );
    const ready = await fetch(`${await urlOf(api)}/readyz`);
    expect(await ready.json()).toMatchObject({ ready: true, tzVersion: bundledTz.version });
  });

  test('ends with what is wrong if its zone data is not usable', async () => {
    const api = start('package.json');
    expect(await api.exited).toBe(78);
    expect(api.lines.join('\n')).toMatch(
      /ZONE_DATA: .*package\.json: .*version: must be a version of the tz/,
    );
  });
});
