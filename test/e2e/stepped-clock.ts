/**
 * A clock of one process that a test sets, by libfaketime: on the machine, in the cache, or
 * from Debian's package. The machine's own clock is never touched.
 */
import { existsSync } from 'node:fs';
import { glob, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { runCommand } from '../../dev/run-command.ts';
import { inWorkshop } from '../support/workshop.ts';

export interface SteppedClock {
  /** Variables for the environment of a process that must use this clock. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * From now on, the clock is this far ahead of the machine's; negative for behind. Whole seconds.
   */
  step(seconds: number): Promise<void>;
  remove(): Promise<void>;
}

const LIBRARY = 'libfaketimeMT.so.1';
const FETCH_LIMIT_MS = 120_000;

/** Starts equal to the machine's. Rejects with what to install. */
export async function createSteppedClock(): Promise<SteppedClock> {
  const library = await findLibrary();
  const folder = await mkdtemp(join(tmpdir(), 'daybell-clock-'));
  const file = join(folder, 'offset');
  const step = (seconds: number) => writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}`);
  await step(0);
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // Monotonic clocks continue as they do when a machine's clock is set.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    step,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function findLibrary(): Promise<string> {
  const cached = join(readMachine().cacheHome, 'daybell', 'libfaketime');
  const found = (await findIn('/usr/lib')) ?? (await findIn(cached));
  if (found !== null) return found;
  const problem = await inWorkshop(cached, fetchPackage);
  const fetched = await findIn(cached);
  if (fetched !== null) return fetched;
  throw new Error(`libfaketime is not here: ${problem}. Install the package faketime.`);
}

async function findIn(folder: string): Promise<string | null> {
  if (!existsSync(folder)) return null;
  for await (const file of glob(`**/faketime/${LIBRARY}`, { cwd: folder })) {
    return join(folder, file);
  }
  return null;
}

/** Without installing it, which requires an administrator. */
async function fetchPackage(workshop: string): Promise<string | null> {
  const options = { cwd: workshop, env: readMachine().environment, timeoutMs: FETCH_LIMIT_MS };
  const fetched = await runCommand('apt-get', ['-q', 'download', 'libfaketime'], options);
  if (!fetched.ok) return `apt-get: ${fetched.problem}`;
  for await (const archive of glob('*.deb', { cwd: workshop })) {
    const unpacked = await runCommand('dpkg-deb', ['-x', archive, workshop], options);
    if (!unpacked.ok) return `dpkg-deb: ${unpacked.problem}`;
  }
  return null;
}
