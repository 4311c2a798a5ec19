/** Debian's PostgreSQL, which accepts connections with TLS only. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { findPostgresAccount } from '../../../dev/postgres/account.ts';
import type { Authority } from '../../support/certificates.ts';
import { debianLibraries } from '../../support/debian-packages.ts';
import { freePort } from '../../support/free-port.ts';
import { runProgram, type TestProcess } from '../../support/process.ts';
import { DEBIAN, findDebian } from './debian.ts';

export interface DebianPostgres {
  readonly port: number;
  /** What libpq and its programs read: the address of the server, its superuser, and TLS. */
  readonly variables: Readonly<Record<string, string>>;
  /** For psql, pg_dump and the others. */
  readonly programs: string;
  /** As its unit in Debian does: open sessions are ended. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const PASSWORD = 'superuser-password';
/** Ends open sessions, and then the server. */
const FAST_SHUTDOWN = 'SIGINT';

export async function startDebianPostgres(authority: Authority): Promise<DebianPostgres> {
  const initdb = (await findDebian('initdb')) ?? '';
  const programs = dirname(initdb);
  const directory = await mkdtemp(join(tmpdir(), 'daybell-debian-postgres-'));
  const cluster = join(directory, 'cluster');
  const account = await findPostgresAccount(cluster);
  const { cert, key } = authority.issue();
  const files = {
    password: PASSWORD,
    'server.crt': cert,
    'server.key': key,
    'ca.pem': authority.cert,
    'pg_hba.conf': 'hostssl all all 127.0.0.1/32 scram-sha-256\n',
  };
  const fileOf = (name: keyof typeof files): string => join(directory, name);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), content, { mode: 0o600 });
    await account.own(join(directory, name));
  }
  await account.own(directory);

  const settings = { LD_LIBRARY_PATH: await debianLibraries(DEBIAN) };
  const run = (program: string, ...given: string[]): TestProcess => {
    const { program: file, args } = account.command(join(programs, program), given);
    return runProgram(file, args, { settings, cwd: '/' });
  };
  const created = run(
    'initdb',
    `--pgdata=${cluster}`,
    '--username=postgres',
    `--pwfile=${fileOf('password')}`,
    '--no-sync',
  );
  if ((await created.exited) !== 0) throw new Error(created.lines.join('\n'));
  const port = await freePort();
  const flags = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    hba_file: fileOf('pg_hba.conf'),
    ssl: 'on',
    ssl_cert_file: fileOf('server.crt'),
    ssl_key_file: fileOf('server.key'),
    // Processes are ended here, but the machine is not.
    fsync: 'off',
  };
  const options = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const start = async (): Promise<TestProcess> => {
    const server = run('postgres', '-D', cluster, ...options);
    await server.line(/database system is ready to accept connections/);
    return server;
  };

  let running = await start();
  return {
    port,
    programs,
    variables: {
      ...settings,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGPASSWORD: PASSWORD,
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: fileOf('ca.pem'),
    },
    async restart() {
      await running.stop(FAST_SHUTDOWN);
      running = await start();
    },
    async stop() {
      await running.stop(FAST_SHUTDOWN);
      await rm(directory, { recursive: true });
    },
  };
}
