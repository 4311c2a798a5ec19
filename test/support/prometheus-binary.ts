/**
 * Finds Prometheus, and its tool that tests rules: in the cache, by a build with Go, or
 * in Debian's package, in this order.
 */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { buildWithGo, isExecutable } from '../../dev/programs.ts';
import { runCommand } from '../../dev/run-command.ts';
import { inWorkshop } from './workshop.ts';

/** Of the Go module: Prometheus 3.16. */
const VERSION = '0.316.0';
/** Without the clients of twenty clouds, which are most of the build. */
const FLAGS = ['-tags', 'remove_all_sd'];
const APT_LIMIT_MS = 5 * 60_000;

/** The path of a `promtool` that runs here; rejects with what to install. */
export function findPromtool(): Promise<string> {
  return find('promtool');
}

/** The path of a `prometheus` that runs here; rejects with what to install. */
export function findPrometheus(): Promise<string> {
  return find('prometheus');
}

async function find(program: 'promtool' | 'prometheus'): Promise<string> {
  const { cacheHome, environment, path } = readMachine();
  const folder = join(cacheHome, 'daybell', `${program}-${VERSION}`);
  const binary = join(folder, program);
  if (await isExecutable(binary)) return binary;

  const target = `github.com/prometheus/prometheus/cmd/${program}@v${VERSION}`;
  const problems: string[] = [];
  for (const fill of [
    (directory: string) =>
      buildWithGo(
        target,
        directory,
        { path, environment, onProgress: (line) => console.log(line) },
        FLAGS,
      ),
    (directory: string) => unpackDebian(directory, program, environment),
  ]) {
    problems.push(await inWorkshop(folder, fill));
    if (await isExecutable(binary)) return binary;
  }
  throw new Error(
    [
      `${program} is not here, and could not be had:`,
      ...problems.map((problem) => `  - ${problem}`),
      `Install Go, with which it is built: go install ${target}`,
    ].join('\n'),
  );
}

/** Needs no root: the package is not installed. */
async function unpackDebian(
  directory: string,
  program: string,
  environment: NodeJS.ProcessEnv,
): Promise<string | null> {
  const download = join(directory, 'download');
  await mkdir(download);
  const options = { cwd: download, env: environment, timeoutMs: APT_LIMIT_MS };
  const fetched = await runCommand('apt-get', ['download', 'prometheus'], options);
  const [name] = await readdir(download);
  if (!fetched.ok || name === undefined) return `Debian's package: ${fetched.problem}`;
  const unpacked = await runCommand('dpkg-deb', ['-x', name, '.'], options);
  if (!unpacked.ok) return `Debian's package: ${unpacked.problem}`;
  await rename(join(download, 'usr', 'bin', program), join(directory, program));
  return null;
}
