/** What the embedded PostgreSQL keeps on disk: its cluster, and the password to it. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { spawnOptions, type PostgresAccount } from './account.ts';
import { programOf } from '../process-identity.ts';
import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

export interface Cluster {
  /** PostgreSQL's data directory. */
  readonly folder: string;
  readonly password: string;
}

export interface ClusterOptions {
  readonly dataDir: string;
  readonly account: PostgresAccount;
  readonly initdb: string;
  /** The name of the superuser that the password is for. */
  readonly user: string;
  readonly onProgress: (line: string) => void;
}

/** What cannot be changed later. docker-compose.temporal.yml has the same, kept so by a test. */
export const INITDB_ARGUMENTS = [
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--data-checksums',
] as const;

const INITDB_LIMIT_MS = 120_000;

/** The cluster in a data folder, created if there is none yet. */
export async function prepareCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = join(options.dataDir, 'postgres');
  const passwordFile = join(options.dataDir, PASSWORD_FILE);
  const password = await keepPassword(passwordFile, folder, options.account);
  if (!(await exists(folder))) {
    options.onProgress('Creating the database.');
    await createCluster(options, folder, passwordFile);
  }
  return { folder, password };
}

/**
 * A server that was killed leaves its lock file, and while the process in it is a zombie,
 * or its number belongs to another program by now, PostgreSQL takes that for a running
 * server. DATA_DIR is ours, so one that is no `postgres` is none. (Should processes of the
 * old server still be there, PostgreSQL finds them by its shared memory.)
 */
export function removeStaleLock(folder: string): void {
  const file = join(folder, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (!(pid > 0) || programOf(pid) !== 'postgres') rmSync(file, { force: true });
}

/** Made beside its place and renamed: a start that is killed leaves no half of a cluster. */
async function createCluster(
  { account, initdb, user }: ClusterOptions,
  folder: string,
  passwordFile: string,
): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  if (account.owner !== null) await chown(unfinished, account.owner.uid, account.owner.gid);
  const command = account.command(initdb, [
    `--pgdata=${unfinished}`,
    `--username=${user}`,
    `--pwfile=${passwordFile}`,
    ...INITDB_ARGUMENTS,
  ]);
  const result = await runCommand(command.file, command.args, {
    ...spawnOptions(command),
    timeoutMs: INITDB_LIMIT_MS,
  });
  if (!result.ok) {
    throw new StartError(
      `PostgreSQL could not create its database in ${unfinished} (${result.problem}):\n${result.output.trim()}`,
    );
  }
  await rename(unfinished, folder);
}

const PASSWORD_FILE = 'postgres.password';

/** The password to the cluster in a data folder; rejects when there is none. */
export async function readPassword(dataDir: string): Promise<string> {
  return (await readFile(join(dataDir, PASSWORD_FILE), 'utf8')).trim();
}

/** A random password, made once; PostgreSQL's own user may read it, nobody else. */
async function keepPassword(
  file: string,
  folder: string,
  account: PostgresAccount,
): Promise<string> {
  if (!(await exists(file))) {
    if (await exists(folder)) {
      throw new StartError(
        `${file} is missing, and without it the database in ${folder} cannot be opened. Put it back from a backup, or choose another DATA_DIR.`,
      );
    }
    await writeFile(`${file}.new`, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  await chmod(file, 0o600);
  if (account.owner !== null) await chown(file, account.owner.uid, account.owner.gid);
  return (await readFile(file, 'utf8')).trim();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
