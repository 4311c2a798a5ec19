/** What the embedded PostgreSQL keeps on disk: its cluster, and the password to it. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, rename, rm } from 'node:fs/promises';

import { EMBEDDED_USER, passwordFile } from '../../src/platform/database/embedded-database.ts';
import { keepSecret } from '../data-dir.ts';
import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';
import type { PostgresAccount } from './account.ts';

/** What cannot be changed later. docker-compose.temporal.yml has the same; a test compares. */
export const INITDB_ARGUMENTS = [
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--data-checksums',
] as const;

const INITDB_LIMIT_MS = 120_000;

/** Programs of PostgreSQL's get nothing of our environment, and speak English. */
export const POSTGRES_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' } as const;

export interface ClusterOptions {
  readonly dataDir: string;
  /** PostgreSQL's data directory. */
  readonly folder: string;
  readonly account: PostgresAccount;
  readonly initdb: string;
  readonly onProgress: (line: string) => void;
}

/** Creates the cluster if there is none yet; gives the password to it. */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const { dataDir, folder, account, onProgress } = options;
  const file = passwordFile(dataDir);
  if (existsSync(folder) && !existsSync(file)) {
    throw new StartError(
      `${file} is missing, and without it the database in ${folder} cannot be opened. Put it back from a backup, or choose another DATA_DIR.`,
    );
  }
  const password = await keepSecret(file, () => randomBytes(24).toString('base64url'));
  if (account.owner !== null) await chown(file, account.owner.uid, account.owner.gid);
  if (!existsSync(folder)) {
    onProgress('Creating the database.');
    await createCluster(options, file);
  }
  return password;
}

/** Made beside its place and renamed: a start that is killed leaves no half of a cluster. */
async function createCluster(
  { account, folder, initdb }: ClusterOptions,
  pwfile: string,
): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  if (account.owner !== null) await chown(unfinished, account.owner.uid, account.owner.gid);
  const { program, args, ...ids } = account.command(initdb, [
    `--pgdata=${unfinished}`,
    `--username=${EMBEDDED_USER}`,
    `--pwfile=${pwfile}`,
    ...INITDB_ARGUMENTS,
  ]);
  const result = await runCommand(program, args, {
    ...ids,
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...POSTGRES_ENVIRONMENT },
    timeoutMs: INITDB_LIMIT_MS,
  });
  if (!result.ok) {
    throw new StartError(
      `PostgreSQL could not create its database in ${unfinished} (${result.problem}):\n${result.output.trim()}`,
    );
  }
  await rename(unfinished, folder);
}
