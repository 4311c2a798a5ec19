/**
 * PostgreSQL refuses to run as root. Started by root, as in most containers, it runs as another
 * user, who may not be able to enter the folders that root put Daybell in, such as /root.
 */
import { stat } from 'node:fs/promises';

import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

export interface PostgresCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** How PostgreSQL's programs are run, and who owns their files. */
export interface PostgresAccount {
  /** Null for ourselves. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  command(program: string, args: readonly string[]): PostgresCommand;
}

/** The user `nobody`, on every Linux. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const CHECK_LIMIT_MS = 20_000;

/**
 * Ourselves; for root the owner of the cluster, or `nobody` if there is none yet.
 *
 * @throws StartError when that user cannot run the program, or enter the data folder
 */
export async function findPostgresAccount(
  postgres: string,
  dataDir: string,
  cluster: string,
): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) {
    return { owner: null, command: (program, args) => ({ program, args }) };
  }
  const owner = await stat(cluster).then(
    ({ uid, gid }) => ({ uid, gid }),
    () => NOBODY,
  );
  const asOwner: PostgresAccount = {
    owner,
    command: (program, args) => ({ program, args, ...owner }),
  };
  for (const account of [asOwner, asOwnerWhoMayEnter(owner)]) {
    const check = ['-c', 'cd "$1" && "$0" --version', postgres, dataDir];
    const { program, args, ...ids } = account.command('/bin/sh', check);
    const result = await runCommand(program, args, { cwd: '/', ...ids, timeoutMs: CHECK_LIMIT_MS });
    if (result.ok) return account;
  }
  throw new StartError(
    [
      `PostgreSQL does not run as root: it runs as user ${owner.uid}, who cannot enter these folders:`,
      `  ${postgres}`,
      `  ${dataDir}`,
      'Run Daybell as an ordinary user, or put it and its DATA_DIR where others can go, such as /srv/daybell.',
    ].join('\n'),
  );
}

/** With the one of root's capabilities that lets a process enter any folder, and no other. */
function asOwnerWhoMayEnter(owner: NonNullable<PostgresAccount['owner']>): PostgresAccount {
  const only = '-all,+dac_override';
  const flags = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=${only}`,
    `--ambient-caps=${only}`,
    `--bounding-set=${only}`,
    // Without it access(2), with which PostgreSQL looks for its own files, ignores capabilities.
    '--securebits=+no_setuid_fixup',
  ];
  return {
    owner,
    command: (program, args) => ({ program: 'setpriv', args: [...flags, program, ...args] }),
  };
}
