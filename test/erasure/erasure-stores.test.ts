// @module-tag long
/**
 * All that both stores hold, looked through after users were erased: every table of Daybell's
 * schemas as text, and every table of Temporal's own database.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { bornForNineAfter } from './born.ts';
import { startDaybell, type TestDaybell } from '../support/daybell.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import {
  connectTo,
  findDevServerProgram,
  type TestTemporal,
  useDevServer,
} from '../support/temporal.ts';

const HOUR = 3_600_000;
const WITHIN = { timeout: 60_000, interval: 100 };
/** Twelve seconds each, and the server's lists may show for several what it has deleted. */
const ROUNDS = { timeout: 180_000, interval: 100 };

let directory: string;
let file: string;
let server: DevServer;
let temporal: TestTemporal;
let daybell: TestDaybell;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-erasure-'));
  file = join(directory, 'temporal.db');
  server = await startDevServer({ binary: await findDevServerProgram(), database: file });
  temporal = await connectTo(server.address);
  const { client, connection } = temporal;
  daybell = await startDaybell({ client, connection });
}, 25 * 60_000);
afterAll(async () => {
  await daybell.stop();
  await temporal.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Both wait for rounds of the erasure. */
describe.concurrent('for deleted users', { timeout: 400_000 }, () => {
  test('a workflow that sleeps on, because nobody asked it to end, is asked', async ({
    expect,
    onTestFinished,
  }) => {
    const shared = await useDevServer();
    const daybell = await startDaybell(shared);
    onTestFinished(async () => {
      await daybell.stop();
      await shared.close();
    });
    const userId = await daybell.createUser({ dateOfBirth: '1990-12-10' });
    // As after a restore of an older Temporal: the ledger believes that it has ended.
    await daybell.scheduler.stop();
    await daybell.api.sql('delete from users.users where id = ?', [userId]);
    await daybell.api.sql(
      `update events.occurrences set state = 'SKIPPED', reason = 'user_deleted',
         settled_at = events.clock(), next_attempt_at = null, followed = true where user_id = ?`,
      [userId],
    );
    await daybell.api.sql(
      `update events.occasions set ended_at = events.clock(), end_notified_at = events.clock(),
         wake_at = null, notified_wake_at = null where user_id = ?`,
      [userId],
    );
    await daybell.scheduler.start();
    const find = 'select temporal_at is not null as erased from users.erasures where user_id = ?';
    await expect
      .poll(async () => {
        await daybell.erase();
        return daybell.api.sql(find, [userId]);
      }, WITHIN)
      .toEqual([{ erased: true }]);
    await expect(daybell.workflowOf(userId).describe()).rejects.toThrow(/not found/i);
  });

  test('nothing of an erased user is left in either store, and everything of the others', async ({
    expect,
  }) => {
    // A receiver's response may quote what it was sent.
    daybell.receiver.answer((response, request) => {
      response.statusCode = request.body.data.user?.lastName === 'Refusenova' ? 422 : 200;
      response.end(`quoted ${request.body.message}`);
    });
    // 9:00 of whose day has passed within the last hours; the others' day is another one.
    const born = bornForNineAfter(Date.now() - 5 * HOUR);
    await daybell.clock.set(born.dueAt - HOUR);
    const { timezone } = born;
    const dateOfBirth = `1907${born.dateOfBirth.slice(4)}`;
    const about = { timezone, dateOfBirth };
    const greeted = await create({ ...about, firstName: 'Zaphodina', lastName: 'Beeblebroxova' });
    const refused = await create({ ...about, firstName: 'Trillianette', lastName: 'Refusenova' });
    const kept = await create({ ...about, firstName: 'Slartibartfastina', lastName: 'Stays' });
    await daybell.clock.set(Date.now());
    await until(greeted, 'COMPLETED');
    await until(kept, 'COMPLETED');
    await until(refused, 'FAILED');
    await daybell.changeUser(greeted, { timezone: 'Africa/Accra' });

    const ofErased = ['Zaphodina', 'Trillianette', 'outside-Zaphodina', dateOfBirth];
    const inDatabase = await textOfDatabase();
    for (const text of [...ofErased, `quoted Hey, Zaphodina`, 'Africa/Accra']) {
      expect(inDatabase).toContain(text);
    }

    await daybell.deleteUser(greeted);
    await daybell.deleteUser(refused);
    // The workflows must end: then it takes seconds.
    const total = { fromDatabase: 0, fromTemporal: 0, runs: 0 };
    await expect
      .poll(async () => {
        const { fromDatabase, fromTemporal, runs } = await daybell.erase();
        total.fromDatabase += fromDatabase;
        total.fromTemporal += fromTemporal;
        total.runs += runs;
        return total;
      }, ROUNDS)
      .toMatchObject({ fromDatabase: 2, fromTemporal: 2 });
    expect(total.runs).toBeGreaterThanOrEqual(2);
    expect((await daybell.workflowOf(kept).describe()).status.name).toBe('RUNNING');

    // The kept user has the same day of birth, but not the names.
    const left = await textOfDatabase();
    for (const text of [...ofErased.slice(0, 3), 'quoted Hey, Zaphodina', 'Africa/Accra']) {
      expect(left.includes(text), `${text} in the database`).toBe(false);
    }
    expect(left).toContain('quoted Hey, Slartibartfastina');
    expect(left.split(dateOfBirth).length).toBeLessThan(inDatabase.split(dateOfBirth).length);
    const ofKept = await daybell.api.sql<{ row: string }>(
      `select h::text as row from users.history as h where user_id <> ?`,
      [kept],
    );
    expect(ofKept).toEqual([]);

    await daybell.stop();
    await server.stop();
    const tables = textOfTemporal(file);
    expect([...tables.values()].join('\n')).toContain(`birthday/${kept}`);
    for (const [table, text] of tables) {
      for (const each of [...ofErased, 'Africa/Accra']) {
        expect(text.includes(each), `${each} in Temporal's ${table}`).toBe(false);
      }
    }
    // Elsewhere, in queues of completed tasks, the ids of workflows may stay for a while.
    for (const table of [
      'executions',
      'current_executions',
      'history_node',
      'executions_visibility',
    ]) {
      for (const id of [greeted, refused]) {
        expect(tables.get(table)?.includes(id), `${id} in Temporal's ${table}`).toBe(false);
      }
    }
  });
});

function create(fields: { readonly firstName: string } & Record<string, string>): Promise<string> {
  return daybell.createUser({ ...fields, externalId: `outside-${fields.firstName}` });
}

async function until(userId: string, state: string): Promise<void> {
  await vi.waitFor(
    async () => expect(await daybell.ledgerOf(userId)).toEqual([state, 'PENDING']),
    WITHIN,
  );
}

/** As in a dump: every row of every table. */
async function textOfDatabase(): Promise<string> {
  const tables = await daybell.api.sql<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname in ('users', 'events')`,
  );
  expect(tables.length).toBeGreaterThan(10);
  const texts = [];
  for (const { name } of tables) {
    const rows = await daybell.api.sql<{ row: string }>(`select t::text as row from ${name} as t`);
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}

/** Each table of a SQLite database with everything in it, bytes unchanged. */
function textOfTemporal(path: string): Map<string, string> {
  const database = new DatabaseSync(path, { readOnly: true });
  const tables = database.prepare(`select name from sqlite_master where type = 'table'`).all();
  const texts = tables.map(({ name }): [string, string] => {
    const rows = database.prepare(`select * from "${String(name)}"`);
    // Ids in bytes need no exact numbers.
    rows.setReadBigInts(true);
    const values = rows.all().flatMap((row) => Object.values(row));
    return [String(name), values.map(textOf).join('\n')];
  });
  database.close();
  return new Map(texts);
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}
