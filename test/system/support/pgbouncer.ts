import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Authority } from '../../support/certificates.ts';
import { freePort } from '../../support/free-port.ts';
import type { TestProcess } from '../../support/process.ts';
import { runDebian } from './debian.ts';
import { blockOf, type Places, withPlaces } from './pages.ts';

export interface PgBouncer {
  readonly port: number;
  /** Ends it at once, like a kill, and starts it again on its port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  /** Of PostgreSQL, on this machine. */
  readonly server: { readonly port: number; readonly database: string };
  /** That PostgreSQL's certificate is from. */
  readonly authority: Authority;
  /** Passwords by name. */
  readonly users: Readonly<Record<string, string>>;
  /** Other differences from the page. */
  readonly places?: Places;
}

/** Starts it with the configuration of docs/production.md. */
export async function startPgBouncer({
  server,
  authority,
  users,
  places = {},
}: PgBouncerOptions): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-pgbouncer-'));
  const port = await freePort();
  const lines = Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`);
  await writeFile(join(directory, 'userlist.txt'), lines.join(''));
  await writeFile(join(directory, 'ca.pem'), authority.cert);
  const here = withPlaces(blockOf('production', 'PostgreSQL', 'ini'), {
    '6432': String(port),
    'host=db.example.com dbname=daybell': `host=127.0.0.1 port=${server.port} dbname=${server.database}`,
    '= /etc/pgbouncer': `= ${directory}`,
    ...places,
  });
  const ini = join(directory, 'pgbouncer.ini');
  await writeFile(ini, `${here}\nunix_socket_dir =\n`);
  // It does not run as root, and reads its files as the user that it becomes.
  await chmod(directory, 0o755);
  const args = process.getuid?.() === 0 ? ['--user=nobody', ini] : [ini];
  const start = async (): Promise<TestProcess> => {
    const running = await runDebian('pgbouncer', args);
    await running.line(/process up/);
    return running;
  };

  let running = await start();
  return {
    port,
    async restart() {
      await running.stop('SIGKILL');
      running = await start();
    },
    async stop() {
      await running.stop('SIGKILL');
      await rm(directory, { recursive: true });
    },
  };
}
