/**
 * Debian's builds of what stands around Daybell in production, kept in the cache. They are
 * downloaded and unpacked, not installed: no administrator is needed, and no service starts.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { firstOnPath, isExecutable, lastLine } from '../../../dev/programs.ts';
import { runCommand } from '../../../dev/run-command.ts';
import { readMachine } from '../../../src/platform/settings/machine.ts';
import { runProgram, type ProgramOptions, type TestProcess } from '../../support/process.ts';
import { inWorkshop } from '../../support/workshop.ts';

/** The programs that tests run, and where Debian's packages of the same day have them. */
const PROGRAMS = {
  haproxy: 'usr/sbin/haproxy',
  nginx: 'usr/sbin/nginx',
  pgbouncer: 'usr/sbin/pgbouncer',
  prometheus: 'usr/bin/prometheus',
  promtool: 'usr/bin/promtool',
} as const;
const PACKAGES = ['haproxy', 'nginx', 'pgbouncer', 'prometheus'];
const APT_LIMIT_MS = 5 * 60_000;

const { cacheHome, environment, path } = readMachine();
const ROOT = join(cacheHome, 'daybell', `debian-${PACKAGES.join('-')}`);

/** Runs one of Debian's programs, with the libraries that came with it. */
export async function runDebian(
  name: keyof typeof PROGRAMS,
  args: readonly string[],
  options: Partial<ProgramOptions> = {},
): Promise<TestProcess> {
  const libraries = (await readdir(join(ROOT, 'usr/lib'), { withFileTypes: true }))
    .filter((entry) => entry.name.includes('-linux-gnu'))
    .map((entry) => join(ROOT, 'usr/lib', entry.name));
  const settings = { ...options.settings, LD_LIBRARY_PATH: libraries.join(':') };
  return runProgram(join(ROOT, PROGRAMS[name]), args, { ...options, settings });
}

/** A file of one of the packages, such as `etc/haproxy/haproxy.cfg`. */
export const debianFile = (path: string): string => join(ROOT, path);

/** Downloads the packages if they are not in the cache. Gives what is missing, or null. */
export async function fetchDebian(): Promise<string | null> {
  const isThere = async () =>
    (
      await Promise.all(Object.values(PROGRAMS).map((program) => isExecutable(join(ROOT, program))))
    ).every(Boolean);
  if (await isThere()) return null;
  for (const tool of ['apt-get', 'dpkg-deb']) {
    if ((await firstOnPath(tool, path)) === null)
      return `there is no ${tool}: not Debian, nor Ubuntu`;
  }
  const problem = await inWorkshop(ROOT, download);
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
    '--assume-yes',
  ];
  const only = ['--download-only', '--reinstall', '--no-install-recommends'];
  for (const args of [['update'], ['install', ...only, ...PACKAGES]]) {
    const options = { env: environment, timeoutMs: APT_LIMIT_MS };
    const { ok, problem, output } = await runCommand('apt-get', [...ours, ...args], options);
    if (!ok) return `apt-get ${args[0]}: ${problem}: ${lastLine(output)}`;
  }
  for (const archive of (await readdir(archives)).filter((name) => name.endsWith('.deb'))) {
    const options = { cwd: archives, timeoutMs: APT_LIMIT_MS };
    const unpacked = await runCommand('dpkg-deb', ['-x', archive, folder], options);
    if (!unpacked.ok) return `dpkg-deb -x ${archive}: ${unpacked.problem}`;
  }
  for (const used of [lists, cache]) await rm(used, { recursive: true });
  return null;
}
