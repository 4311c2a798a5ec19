import { randomUUID } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { once } from 'node:events';

import { Migration } from '@mikro-orm/migrations';
import { afterEach, expect, inject, onTestFinished, test } from 'vitest';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { migrate, runMigrations } from '../../src/platform/database/run-migrations.ts';
import { DatabaseUnusableError } from '../../src/platform/database/unusable.ts';
import {
  findRanMigrations,
  MIGRATIONS,
  type Query,
  recordCompatibility,
} from '../../src/platform/database/migrations.ts';
import { readRules } from '../../src/planning/rules.ts';
import { querySql, runSql, withDatabase } from '../support/postgres.ts';
import { runProcess, runProgram } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { bundledTz } from '../support/tz-databases.ts';

const ENTRY = 'src/cli/migrate.ts';
const QUIET = { waitMs: 0, onWaiting: () => {} };

class NoMigration extends Migration {
  override up(): void {}
}

const created: string[] = [];
afterEach(async () => {
  for (const name of created.splice(0)) {
    await runSql(inject('postgresAdminUrl'), `drop database ${name} with (force)`);
  }
});

/** An empty database. */
async function emptyDatabase(): Promise<string> {
  const name = `empty_${randomUUID().replaceAll('-', '')}`;
  await runSql(inject('postgresAdminUrl'), `create database ${name}`);
  created.push(name);
  return withDatabase(inject('postgresAdminUrl'), name);
}

test('the process migrate runs what is pending, and records what decides dates besides users, anew only when it differs', async () => {
  const DATABASE_URL = await emptyDatabase();
  const later = { DELIVERY_LOCAL_TIME: '07:30', LEAP_DAY_POLICY: 'mar1' };
  const said: unknown[] = [];
  for (const settings of [{}, later, later]) {
    const migration = runProcess(ENTRY, { DATABASE_URL, ZONE_DATA: 'bundled', ...settings });
    expect(await migration.exited).toBe(0);
    said.push(JSON.parse(migration.lines.at(-1) ?? ''));
  }
  expect(said).toMatchObject([
    { msg: 'migrated', migrations: MIGRATIONS },
    { msg: 'nothing to migrate' },
    { msg: 'nothing to migrate' },
  ]);
  const orm = await connectOrm(DATABASE_URL);
  onTestFinished(() => orm.close(true));
  const tzVersion = bundledTz.version;
  expect(await readRules(orm.em.fork())).toMatchObject([
    { from: -Infinity, localTime: '09:00', leapDayPolicy: 'feb28', tzVersion },
    { from: expect.any(Number), localTime: '07:30', leapDayPolicy: 'mar1', tzVersion },
  ]);
});

test('if many run at once, one migrates and the others wait for it', async () => {
  const url = await emptyDatabase();
  const ran = await Promise.all([1, 2, 3, 4].map(() => runMigrations(url, QUIET)));
  expect(ran.flat()).toEqual([...MIGRATIONS]);
});

test('the compatibility of a migration is recorded beside it, even for one that ran earlier', async () => {
  const url = await emptyDatabase();
  const orm = await connectOrm(url);
  onTestFinished(() => orm.close(true));
  await migrate(orm);
  const [first = ''] = MIGRATIONS;
  const [second, third] = ['0002-second', '0003-third'];
  for (const name of [second, third]) {
    await orm.em.fork().execute('insert into daybell_migrations (name) values (:name)', { name });
  }
  const query: Query = (sql, parameters = {}) => orm.em.fork().execute(sql, parameters);
  const record = (compatibleFrom: string) =>
    recordCompatibility(query, [
      { name: second, class: NoMigration, compatibleFrom },
      { name: '9999-not-here', class: NoMigration, compatibleFrom: first },
    ]);

  await record(first);
  await record(first);
  expect((await findRanMigrations(query)).slice(0, 3)).toEqual([
    { name: first, compatibleFrom: null },
    { name: second, compatibleFrom: first },
    { name: third, compatibleFrom: null },
  ]);
});

test('a database that is not up yet is waited for', async () => {
  const url = new URL(await emptyDatabase());
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');

  const target = Number(url.port);
  url.port = String(port);
  const waiting = Promise.withResolvers<string>();
  const migrated = runMigrations(url.href, { waitMs: 30_000, onWaiting: waiting.resolve });
  expect(await waiting.promise).toBe(`127.0.0.1:${port}${url.pathname}`);
  const forwarder = await forward(port, target);
  expect(await migrated).toEqual([...MIGRATIONS]);
  forwarder.close();
});

test('a database that stays down is an error with its address, but without its password', async () => {
  const url = 'postgresql://daybell:hunter2@127.0.0.1:1/daybell';
  const error = await runMigrations(url, QUIET).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DatabaseUnusableError);
  expect(String(error)).toMatch(/127\.0\.0\.1:1\/daybell could not be used .*ECONNREFUSED/);
  expect(String(error)).not.toMatch(/hunter2/);
});

test('a wrong password is reported at once', async () => {
  const url = new URL(await emptyDatabase());
  url.password = 'wrong';
  const waits: string[] = [];
  const migrated = runMigrations(url.href, { waitMs: 30_000, onWaiting: (at) => waits.push(at) });
  await expect(migrated).rejects.toThrow(/refuses the password/);
  expect(waits).toEqual([]);
});

test('a mistyped name is reported, and becomes a database only with --create', async () => {
  const url = new URL(await emptyDatabase());
  url.pathname += '_mistyped';
  const exists = () =>
    querySql(
      inject('postgresAdminUrl'),
      `select from pg_database where datname = '${url.pathname.slice(1)}'`,
    );
  await expect(runMigrations(url.href, QUIET)).rejects.toThrow(
    /no database of this name: npm run migrate -- --create/,
  );
  expect(await exists()).toEqual([]);

  const creating = runProgram(process.execPath, [ENTRY, '--create'], {
    settings: { DATABASE_URL: url.href },
  });
  expect(await creating.exited).toBe(0);
  created.push(url.pathname.slice(1));
  expect(await exists()).toHaveLength(1);
});

test('a command uses what migrate recorded, and says where its environment differs', async () => {
  const DATABASE_URL = await emptyDatabase();
  const recorded = { DELIVERY_LOCAL_TIME: '07:30', LATE_LIMIT: '1h', LATE_AFTER: '2m' };
  expect(await runProcess(ENTRY, { DATABASE_URL, ...recorded }).exited).toBe(0);
  const forecast = async (settings: NodeJS.ProcessEnv) => {
    const { code, text } = await runHere('src/forecast/command.ts', [], {
      DATABASE_URL,
      ...settings,
    });
    expect(code).toBe(0);
    return text;
  };
  const plain = await forecast({});
  expect(plain).toContain('07:30');
  expect(plain).not.toContain('in force');
  const other = await forecast({ ...recorded, DELIVERY_LOCAL_TIME: '09:00', LATE_LIMIT: '48h' });
  expect(other).toContain('07:30');
  expect(other.match(/^[A-Z_]+: .* is in force/gm)).toEqual([
    'DELIVERY_LOCAL_TIME: 07:30 is in force',
    'LATE_LIMIT: 1h is in force',
  ]);
});

test('a command reports a database that has not been migrated', async () => {
  const DATABASE_URL = await emptyDatabase();
  const args = ['--date', '2027-05-20'];
  const { code, text } = await runHere('src/audit/command.ts', args, { DATABASE_URL });
  expect(code).toBe(69);
  expect(text).toMatch(/it has not been migrated: npm run migrate/);
});

async function forward(port: number, target: number) {
  const { connect } = await import('node:net');
  const server = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
