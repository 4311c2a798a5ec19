/** An installation made from the docs alone: restarts in the middle of a herd, and a restore. */
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { querySql } from '../support/postgres.ts';
import { type Installation, startInstallation } from './support/installation.ts';
import { blockOf, withPlaces } from './support/pages.ts';

// After the restore, every workflow is woken: on a busy machine that takes minutes.
vi.setConfig({ testTimeout: 900_000 });

const HERD = 600;
/** Each begins when this many were received, and is over before the 300th. */
const RESTARTS = [
  ['pgbouncer', 20],
  ['postgres', 80],
  ['haproxy', 140],
  ['nginx', 200],
] as const;
const WITHIN = { timeout: 150_000, interval: 20 };
const SETTLED = { ...WITHIN, interval: 500 };
/** Created by then, however busy the machine is. */
const LEAD_MS = 45_000;

let installation: Installation;
let year: string;
beforeAll(async () => {
  installation = await startInstallation();
  await installation.migrate();
  await installation.start();
});
afterAll(() => installation?.close());

/**
 * Creates users who are due at that instant, through both proxies. Returns their keys, in order.
 */
async function createUsers(count: number, leadMs: number): Promise<string[]> {
  const { instants, fronts, send } = installation;
  const { at, timezone } = instants.next(leadMs);
  const user = {
    firstName: 'Ada',
    lastName: 'Lovelace',
    dateOfBirth: instants.dateOfBirth,
    timezone,
  };
  year = new Date(at).toISOString().slice(0, 4);
  const ids = await pLimit(8).map(Array.from({ length: count }), async (_, index) => {
    const front = index % 2 === 0 ? fronts.haproxy : fronts.nginx;
    const created = await send(front, 'POST', '/v1/users', user);
    expect(created.status).toBe(201);
    return (JSON.parse(created.body) as { id: string }).id;
  });
  expect(Date.now()).toBeLessThan(at);
  return ids.map((id) => `birthday:${id}:${year}`).toSorted();
}

/** How many of the day's occurrences are in each state. */
async function statesIn(name: string): Promise<Record<string, unknown>> {
  const rows = await querySql(
    installation.database.ownerUrl(name),
    `select state, count(*)::int from events.occurrences
     where nominal_date::text like '${year}%' group by state`,
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

const received = () => installation.receiver.received;
const isReady = async (front: number) => (await installation.send(front, 'GET', '/readyz')).status;
/** Both proxies have noticed that the API is ready. */
async function untilServed(): Promise<void> {
  for (const front of Object.values(installation.fronts)) {
    await expect.poll(() => isReady(front), WITHIN).toBe(200);
  }
}
const audit = () => `npm run audit -- --date ${year}${installation.instants.dateOfBirth.slice(4)}`;

test('each user of a herd is greeted once while PgBouncer, PostgreSQL, HAProxy and nginx are restarted', async () => {
  await untilServed();
  const keys = await createUsers(HERD, LEAD_MS);
  const restarted: Record<string, { from: number; to: number }> = {};
  for (const [name, count] of RESTARTS) {
    await expect.poll(() => received().length, WITHIN).toBeGreaterThanOrEqual(count);
    const from = Date.now();
    await installation.restarts[name]();
    restarted[name] = { from, to: Date.now() };
  }
  await expect.poll(() => statesIn('daybell'), SETTLED).toEqual({ COMPLETED: HERD });

  const times = received()
    .map(({ at }) => at)
    .toSorted((a, b) => a - b);
  for (const [name, { from, to }] of Object.entries(restarted)) {
    expect({ name, isAfterFirst: from > (times[0] ?? Infinity) }).toEqual({
      name,
      isAfterFirst: true,
    });
    expect({ name, isBefore300th: to < (times[299] ?? 0) }).toEqual({ name, isBefore300th: true });
  }
  const greeted = Map.groupBy(received(), ({ id }) => id);
  expect([...greeted.keys()].toSorted()).toEqual(keys);
  // Twice: only what a proxy had in flight when it was ended.
  const proxies = [restarted['haproxy'], restarted['nginx']];
  for (const [id, [first, ...more]] of greeted) {
    if (first === undefined || more.length === 0) continue;
    const isExcused = proxies.some(
      (restart) => restart && first.at >= restart.from - 2_000 && first.at <= restart.to,
    );
    expect({ id, times: 1 + more.length, isExcused }).toEqual({ id, times: 2, isExcused: true });
  }
  await untilServed();
  await installation.type(audit());
});

test('after a restore from a dump into a new database, it sends nothing twice and continues', async () => {
  const { type, database } = installation;
  const [dump, restore] = ['pg_dump ', 'pg_restore '].map((has) =>
    withPlaces(blockOf('production', 'Dump and restore', 'sh', has), {
      'daybell.dump': '$HOME/daybell.dump',
    }),
  ) as [string, string];
  // The processes are started in between.
  const [before = '', after = ''] = restore.split(/^(?=npm run reconcile)/m);
  const BACKUP_TAKEN_AT = new Date().toISOString();
  await type(dump);
  expect(await installation.stop()).toEqual([0, 0, 0, 0]);
  const count = received().length;

  await database.create('daybell_new');
  await installation.moveTo('daybell_new');
  await type(before, { BACKUP_TAKEN_AT });
  await installation.start();
  await untilServed();
  await type(after);
  expect(await statesIn('daybell_new')).toEqual({ COMPLETED: HERD });

  // Anything that had to be sent again would have been sent by then.
  const [key] = await createUsers(1, 5_000);
  await expect.poll(() => statesIn('daybell_new'), SETTLED).toEqual({ COMPLETED: HERD + 1 });
  expect(
    received()
      .slice(count)
      .map(({ id }) => id),
  ).toEqual([key]);
  await type(audit());
});
