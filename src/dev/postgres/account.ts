/**
 * PostgreSQL refuses to run as root. Started by root, it runs as the system user
 * `postgres`, who may not be able to enter the folders that root put Daybell in.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';

import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

/** How to run a program of PostgreSQL's, and who must own its files. */
export interface PostgresAccount {
  /** Null when they are simply ours. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  command(file: string, args: readonly string[]): PostgresCommand;
}

export interface PostgresCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface PostgresAccountOptions {
  /** The program that the account must be able to run. */
  readonly postgresBinary: string;
  /** The folder that the account must be able to enter. */
  readonly dataDir: string;
  readonly path: string;
  readonly onProgress: (line: string) => void;
}

const USER = 'postgres';
const COMMAND_LIMIT_MS = 20_000;
/**
 * What lets a process enter any folder, the smaller one first. Containers often have
 * only the second. Neither gives root's other powers.
 */
const CAPABILITIES = ['dac_read_search', 'dac_override'];

/** Finds the account; creates the user `postgres` when root runs this on a machine without one. */
export async function findPostgresAccount(
  options: PostgresAccountOptions,
): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) {
    return { owner: null, command: (file, args) => ({ file, args }) };
  }
  const owner = (await findUser(options)) ?? (await createUser(options));
  const candidates = [asUser(owner), ...CAPABILITIES.map((name) => asUserWith(owner, name))];
  for (const account of candidates) {
    if (await canUse(account, options)) return account;
  }
  throw new StartError(
    [
      `PostgreSQL does not run as root: it runs as the user "${USER}", who cannot enter these folders:`,
      `  ${options.postgresBinary}`,
      `  ${options.dataDir}`,
      'Do one of these, then start again:',
      '  - run Daybell as an ordinary user',
      `  - put Daybell and its DATA_DIR where "${USER}" can go, such as /srv/daybell`,
      '  - set DATABASE_URL to a PostgreSQL that runs already',
    ].join('\n'),
  );
}

/** Starts a program of PostgreSQL's in a process group of its own, with nothing of our environment. */
export function spawnPostgres(command: PostgresCommand, stdio: StdioOptions): ChildProcess {
  return spawn(command.file, command.args, { ...spawnOptions(command), detached: true, stdio });
}

/** Options of every such program: a folder that all can enter, messages in English, no secrets. */
export function spawnOptions({ uid, gid }: PostgresCommand) {
  return {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function asUser(owner: Owner): PostgresAccount {
  return { owner, command: (file, args) => ({ file, args, ...owner }) };
}

/** The same user with one capability, which programs of PostgreSQL's hand on to each other. */
function asUserWith(owner: Owner, capability: string): PostgresAccount {
  const only = `-all,+${capability}`;
  const flags = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    `--inh-caps=${only}`,
    `--ambient-caps=${only}`,
    `--bounding-set=${only}`,
    // Without it access(2), with which PostgreSQL looks for its own files, ignores capabilities.
    '--securebits=+no_setuid_fixup',
    '--no-new-privs',
  ];
  return {
    owner,
    command: (file, args) => ({ file: 'setpriv', args: [...flags, file, ...args] }),
  };
}

async function canUse(account: PostgresAccount, options: PostgresAccountOptions): Promise<boolean> {
  const check = 'cd "$2" && "$1" --version';
  const command = account.command('/bin/sh', [
    '-c',
    check,
    'sh',
    options.postgresBinary,
    options.dataDir,
  ]);
  const { ok } = await runCommand(command.file, command.args, {
    ...spawnOptions(command),
    timeoutMs: COMMAND_LIMIT_MS,
  });
  return ok;
}

async function findUser({ path }: PostgresAccountOptions): Promise<Owner | null> {
  const ids = await Promise.all(
    ['-u', '-g'].map((flag) =>
      runCommand('id', [flag, USER], { env: { PATH: path }, timeoutMs: COMMAND_LIMIT_MS }),
    ),
  );
  const [uid, gid] = ids.map(({ ok, output }) => (ok ? Number(output) : NaN));
  return uid && gid ? { uid, gid } : null;
}

async function createUser(options: PostgresAccountOptions): Promise<Owner> {
  options.onProgress(`PostgreSQL does not run as root: creating the system user "${USER}" for it.`);
  const flags = ['--system', '--no-create-home', '--shell', '/bin/false'];
  // On Debian and most others root's PATH may lack the folder of useradd.
  const env = { PATH: `${options.path}:/usr/sbin:/sbin` };
  let problem = '';
  // The group may be there without the user.
  for (const group of [['--user-group'], ['--gid', USER]]) {
    const result = await runCommand('useradd', [...flags, ...group, USER], {
      env,
      timeoutMs: COMMAND_LIMIT_MS,
    });
    const owner = await findUser(options);
    if (owner !== null) return owner;
    problem = result.output.trim() || result.problem;
  }
  throw new StartError(
    [
      `PostgreSQL does not run as root, and the user "${USER}" could not be created: ${problem}`,
      'Run Daybell as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs already.',
    ].join('\n'),
  );
}
