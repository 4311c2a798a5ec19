import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../../support/free-port.ts';
import type { TestProcess } from '../../support/process.ts';
import { runDebian } from './debian.ts';

export interface PgBouncer {
  readonly port: number;
  /** Ends it at once, as a kill does, and starts it again on its port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts it with a configuration such as docs/deployment.md has.
 *
 * @param place what else than in the configuration is true here, by the text to be replaced
 * @param users passwords by name
 */
export async function startPgBouncer(
  configuration: string,
  place: Readonly<Record<string, string>>,
  users: Readonly<Record<string, string>>,
): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-pgbouncer-'));
  const port = await freePort();
  const userlist = join(directory, 'userlist.txt');
  const lines = Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`);
  await writeFile(userlist, lines.join(''));
  const changes = { ...place, '6432': String(port), '/etc/pgbouncer/userlist.txt': userlist };
  let here = configuration;
  for (const [there, replacement] of Object.entries(changes)) {
    if (!here.includes(there)) throw new Error(`the configuration has no ${there}`);
    here = here.replaceAll(there, replacement);
  }
  const ini = join(directory, 'pgbouncer.ini');
  await writeFile(ini, `${here}\nunix_socket_dir =\n`);
  // It does not run as root, and reads its files as whom it becomes.
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
