/**
 * Debian's packages, downloaded and unpacked, not installed: no administrator is needed, and no
 * service starts.
 */
import { glob, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { firstOnPath, lastLine } from '../../dev/programs.ts';
import { runCommand } from '../../dev/run-command.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { inWorkshop } from './workshop.ts';

const APT_LIMIT_MS = 5 * 60_000;

/**
 * Downloads packages, and what they depend on if the machine does not have it, into a folder of
 * the cache.
 *
 * @param versionOf names more packages, once the version is known that a package depends on: of
 *   `postgresql`, `15`
 * @returns what is wrong if the folder does not have what was looked for afterwards
 */
export async function unpackDebian(
  folder: string,
  packages: readonly string[],
  versionOf: Readonly<Record<string, (version: string) => readonly string[]>> = {},
): Promise<string> {
  const { path } = readMachine();
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if ((await firstOnPath(tool, path)) === null)
      return `there is no ${tool}: not Debian, nor Ubuntu`;
  }
  return inWorkshop(folder, (workshop) => download(workshop, packages, versionOf));
}

/** For LD_LIBRARY_PATH, from what was unpacked in a folder. */
export async function debianLibraries(root: string): Promise<string> {
  const folders: string[] = [];
  for await (const found of glob('usr/lib/*-linux-gnu{,/pulseaudio}', { cwd: root }))
    folders.push(join(root, found));
  return folders.join(':');
}

/** With apt's lists and archives in the folder too: the machine's own may be old, or locked. */
async function download(
  folder: string,
  packages: readonly string[],
  versionOf: Parameters<typeof unpackDebian>[2] = {},
): Promise<string | null> {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  const archives = join(cache, 'archives');
  for (const made of [lists, archives]) await mkdir(join(made, 'partial'), { recursive: true });
  const ours = [
    `--option=Dir::State::lists=${lists}`,
    `--option=Dir::Cache=${cache}`,
    '--option=APT::Sandbox::User=',
    '--option=Debug::NoLocking=1',
  ];
  const options = { env: readMachine().environment, timeoutMs: APT_LIMIT_MS };
  const only = ['--assume-yes', '--download-only', '--reinstall', '--no-install-recommends'];
  const updated = await runCommand('apt-get', [...ours, 'update'], options);
  if (!updated.ok) return `apt-get update: ${updated.problem}: ${lastLine(updated.output)}`;
  // `--reinstall` applies to packages that are named, and `postgresql` is a name for a version's.
  const named = [...packages];
  for (const [name, packagesOf] of Object.entries(versionOf)) {
    const depends = await runCommand('apt-cache', [...ours, 'depends', name], options);
    const [, version] = new RegExp(`Depends: ${name}-(\\d+)$`, 'm').exec(depends.output) ?? [];
    if (version === undefined) return `apt-cache depends ${name}: ${lastLine(depends.output)}`;
    named.push(...packagesOf(version));
  }
  const installed = await runCommand('apt-get', [...ours, 'install', ...only, ...named], options);
  if (!installed.ok) return `apt-get install: ${installed.problem}: ${lastLine(installed.output)}`;
  for (const archive of (await readdir(archives)).filter((name) => name.endsWith('.deb'))) {
    const inArchives = { cwd: archives, timeoutMs: APT_LIMIT_MS };
    const unpacked = await runCommand('dpkg-deb', ['-x', archive, folder], inArchives);
    if (!unpacked.ok) return `dpkg-deb -x ${archive}: ${unpacked.problem}`;
  }
  for (const used of [lists, cache]) await rm(used, { recursive: true });
  return null;
}
