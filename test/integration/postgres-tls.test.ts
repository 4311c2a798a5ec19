/** PostgreSQL with TLS: DATABASE_URL decides, and a wrong authority is refused. */
import { chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { runMigrations } from '../../src/platform/database/run-migrations.ts';
import { createAuthority } from '../support/certificates.ts';
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts';
import { querySql, runSql } from '../support/postgres.ts';
import { ENTRIES, runProcess } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const QUIET = { waitMs: 0, onWaiting: () => {} };

let server: PostgresServer;
let directory: string;
let ca: string;
let otherCa: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-tls-'));
  server = await startPostgresServer();
  const authority = createAuthority();
  ca = join(directory, 'ca.pem');
  otherCa = join(directory, 'other-ca.pem');
  await writeFile(ca, authority.cert);
  await writeFile(otherCa, createAuthority().cert);
  await speakTls(authority.issue());
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

/** From now on; connections without TLS stay possible, as on most servers. */
async function speakTls({ cert, key }: { cert: string; key: string }): Promise<void> {
  const client = new pg.Client({ connectionString: server.adminUrl });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  const folder = rows[0]?.data_directory ?? '';
  const { uid, gid } = await stat(folder);
  for (const [name, content] of Object.entries({ 'server.crt': cert, 'server.key': key })) {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    await chown(path, uid, gid);
  }
  await client.query('alter system set ssl = on');
  await client.query('select pg_reload_conf()');
  const isOn = async () => (await client.query<{ ssl: string }>('show ssl')).rows[0]?.ssl === 'on';
  while (!(await isOn())) await sleep(50);
  await client.end();
}

function urlWith(parameters: Record<string, string>, host = '127.0.0.1'): string {
  const url = new URL(server.adminUrl);
  url.hostname = host;
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Whether the connection that the processes make is encrypted. */
async function isEncrypted(databaseUrl: string): Promise<boolean> {
  const orm = await connectOrm(databaseUrl);
  try {
    const [found] = await orm.em
      .fork()
      .execute<{ ssl: boolean }[]>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return found?.ssl === true;
  } finally {
    await orm.close(true);
  }
}

test.for([
  [
    'verify-full, the authority in a file',
    () => urlWith({ sslmode: 'verify-full', sslrootcert: ca }),
  ],
  ['verify-full, by name', () => urlWith({ sslmode: 'verify-full', sslrootcert: ca }, 'localhost')],
  ['verify-ca', () => urlWith({ sslmode: 'verify-ca', sslrootcert: ca })],
] as const)('%s is encrypted', async ([_what, url]) => {
  expect(await isEncrypted(url())).toBe(true);
});

test('require is encrypted, with any server', async () => {
  expect(await isEncrypted(urlWith({ sslmode: 'require' }))).toBe(true);
});

test('by default, nothing is encrypted, whatever the environment has for psql', async () => {
  vi.stubEnv('PGSSLMODE', 'require');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await isEncrypted(server.adminUrl)).toBe(false);
});

test('a server without TLS is reported as such', async () => {
  const url = new URL(inject('postgresAdminUrl'));
  url.searchParams.set('sslmode', 'require');
  const settings = { DATABASE_URL: url.href };
  const due = await runHere('src/cli/due.ts', [], settings);
  expect(due.code).toBe(1);
  expect(due.text).toContain('it does not speak TLS, and sslmode asks for it');
  const scheduler = untilTestEnds(
    runProcess(ENTRIES.scheduler, { ...settings, TEMPORAL_ADDRESS: '127.0.0.1:1' }),
  );
  expect(await scheduler.line(/waiting for the database/)).toContain('it does not speak TLS');
});

test.for([
  ['another authority', () => urlWith({ sslmode: 'verify-full', sslrootcert: otherCa })],
  ['no authority but those of the system', () => urlWith({ sslmode: 'verify-full' })],
] as const)('a server with %s is refused, and it is said why', async ([_what, url]) => {
  await expect(isEncrypted(url())).rejects.toThrow(/certificate/i);
  await expect(runMigrations(url(), QUIET)).rejects.toThrow(
    'its certificate is not of a trusted authority',
  );
});

test('a missing authority is reported with its setting', async () => {
  const url = urlWith({ sslmode: 'verify-full', sslrootcert: '/nowhere/ca.pem' });
  const migrate = runProcess('src/cli/migrate.ts', { DATABASE_URL: url });
  expect(await migrate.exited).toBe(78);
  expect(migrate.lines.join('\n')).toMatch(/DATABASE_URL.*\/nowhere\/ca\.pem/);
});

test('a server that requires TLS is reported as such', async () => {
  const [row] = await querySql(server.adminUrl, `select current_setting('hba_file') as path`);
  const path = String(row?.['path']);
  const before = await readFile(path, 'utf8');
  await writeFile(path, before.replaceAll(/^host /gm, 'hostssl '));
  await runSql(server.adminUrl, 'select pg_reload_conf()');
  onTestFinished(() => writeFile(path, before));
  const code = async () =>
    runSql(server.adminUrl, 'select 1').catch((error: { code: string }) => error.code);
  await expect.poll(code).toBe('28000');

  await expect(runMigrations(server.adminUrl, QUIET)).rejects.toThrow(
    /without TLS: add sslmode=verify-full .*\(28000\)/,
  );
});
