/**
 * Debian's builds of what stands around Daybell in production, kept in the cache. They are
 * downloaded and unpacked, not installed: no administrator is needed, and no service starts.
 */
import { glob, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { firstOnPath, lastLine } from '../../../dev/programs.ts';
import { runCommand } from '../../../dev/run-command.ts';
import { readMachine } from '../../../src/platform/settings/machine.ts';
import { runProgram, type ProgramOptions, type TestProcess } from '../../support/process.ts';
import { inWorkshop } from '../../support/workshop.ts';

/** The programs that tests run, and where Debian's packages have them: PostgreSQL under its version. */
const PROGRAMS = {
  haproxy: 'usr/sbin/haproxy',
  initdb: 'usr/lib/postgresql/*/bin/initdb',
  nginx: 'usr/sbin/nginx',
  pgbouncer: 'usr/sbin/pgbouncer',
  prometheus: 'usr/bin/prometheus',
  promtool: 'usr/bin/promtool',
  psql: 'usr/lib/postgresql/*/bin/psql',
} as const;
const PACKAGES = ['haproxy', 'nginx', 'pgbouncer', 'postgresql', 'prometheus'];
const APT_LIMIT_MS = 5 * 60_000;

const { cacheHome, environment, path } = readMachine();
/** Where the packages are unpacked. */
export const DEBIAN = join(cacheHome, 'daybell', `debian-${PACKAGES.join('-')}`);

export type DebianProgram = keyof typeof PROGRAMS;

/**
 * Runs one of Debian's programs, with the libraries that came with it.
 *
 * @param options.root where the packages are unpacked, if not in the cache
 */
export async function runDebian(
  name: DebianProgram,
  args: readonly string[],
  { root = DEBIAN, ...options }: Partial<ProgramOptions> & { readonly root?: string } = {},
): Promise<TestProcess> {
  const program = await findDebian(name, root);
  if (program === null) throw new Error(`npm run test:system brings ${name}`);
  const settings = { ...options.settings, LD_LIBRARY_PATH: await debianLibraries(root) };
  return runProgram(program, args, { ...options, settings });
}

/** For LD_LIBRARY_PATH. */
export async function debianLibraries(root = DEBIAN): Promise<string> {
  const folders: string[] = [];
  for await (const found of glob('usr/lib/*-linux-gnu', { cwd: root }))
    folders.push(join(root, found));
  return folders.join(':');
}

/** The path of a program, or null if it is not there. */
export async function findDebian(name: DebianProgram, root = DEBIAN): Promise<string | null> {
  for await (const found of glob(PROGRAMS[name], { cwd: root })) return join(root, found);
  return null;
}

/** A file of one of the packages, such as `etc/haproxy/haproxy.cfg`. */
export const debianFile = (path: string): string => join(DEBIAN, path);

/** Downloads the packages if they are not in the cache. Gives what is missing, or null. */
export async function fetchDebian(): Promise<string | null> {
  const names = Object.keys(PROGRAMS) as DebianProgram[];
  const isThere = async () =>
    (await Promise.all(names.map((name) => findDebian(name)))).every((found) => found !== null);
  if (await isThere()) return null;
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if ((await firstOnPath(tool, path)) === null)
      return `there is no ${tool}: not Debian, nor Ubuntu`;
  }
  const problem = await inWorkshop(DEBIAN, download);
  return (await isThere()) ? null : problem;
}

/** With apt's lists and archives in the folder too: the machine's own may be old, or locked. */
async function download(folder: string): Promise<string | null> {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  const archives = join(cache, 'archives');
  for (const made of [lists, archives]) await mkdir(join(made, 'partial'), { recursive: true });
  const ours = [
    `--option=Dir::State::lists=${lists}`,
    `--option=Dir::Cache=${cache}`,
    '--option=APT::Sandbox::User=',
    '--option=Debug::NoLocking=1',
  ];
  const options = { env: environment, timeoutMs: APT_LIMIT_MS };
  const only = ['--assume-yes', '--download-only', '--reinstall', '--no-install-recommends'];
  const updated = await runCommand('apt-get', [...ours, 'update'], options);
  if (!updated.ok) return `apt-get update: ${updated.problem}: ${lastLine(updated.output)}`;
  // `--reinstall` is about packages that are named, and `postgresql` is a name for a version's.
  const depends = await runCommand('apt-cache', [...ours, 'depends', 'postgresql'], options);
  const [, version] = /Depends: postgresql-(\d+)$/m.exec(depends.output) ?? [];
  if (version === undefined) return `apt-cache depends postgresql: ${lastLine(depends.output)}`;
  const postgres = [`postgresql-${version}`, `postgresql-client-${version}`];
  const install = ['install', ...only, ...PACKAGES, ...postgres];
  const installed = await runCommand('apt-get', [...ours, ...install], options);
  if (!installed.ok) return `apt-get install: ${installed.problem}: ${lastLine(installed.output)}`;
  for (const archive of (await readdir(archives)).filter((name) => name.endsWith('.deb'))) {
    const inArchives = { cwd: archives, timeoutMs: APT_LIMIT_MS };
    const unpacked = await runCommand('dpkg-deb', ['-x', archive, folder], inArchives);
    if (!unpacked.ok) return `dpkg-deb -x ${archive}: ${unpacked.problem}`;
  }
  for (const used of [lists, cache]) await rm(used, { recursive: true });
  return null;
}
