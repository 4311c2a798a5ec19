/** Debian's builds of the programs around Daybell in production, kept in the cache. */
import { glob } from 'node:fs/promises';
import { join } from 'node:path';

import { readMachine } from '../../../src/platform/settings/machine.ts';
import { debianLibraries, unpackDebian } from '../../support/debian-packages.ts';
import { runProgram, type ProgramOptions, type TestProcess } from '../../support/process.ts';

/**
 * The programs that tests run, and their paths in Debian's packages: PostgreSQL's contain its
 * version.
 */
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

const { cacheHome } = readMachine();
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

/** The path of a program, or null if it does not exist. */
export async function findDebian(name: DebianProgram, root = DEBIAN): Promise<string | null> {
  for await (const found of glob(PROGRAMS[name], { cwd: root })) return join(root, found);
  return null;
}

/** A file of one of the packages, such as `etc/haproxy/haproxy.cfg`. */
export const debianFile = (path: string): string => join(DEBIAN, path);

/** Downloads the packages if they are not in the cache. Returns what is missing, or null. */
export async function fetchDebian(): Promise<string | null> {
  const names = Object.keys(PROGRAMS) as DebianProgram[];
  const isThere = async () =>
    (await Promise.all(names.map((name) => findDebian(name)))).every((found) => found !== null);
  if (await isThere()) return null;
  const problem = await unpackDebian(DEBIAN, PACKAGES, {
    postgresql: (version) => [`postgresql-${version}`, `postgresql-client-${version}`],
  });
  return (await isThere()) ? null : problem;
}
