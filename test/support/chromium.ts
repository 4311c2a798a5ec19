/** Finds a Chromium: on the PATH, or Debian's package in the cache, downloaded if necessary. */
import { join } from 'node:path';

import { firstOnPath, isExecutable } from '../../dev/programs.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { debianLibraries, unpackDebian } from './debian-packages.ts';

export interface Chromium {
  readonly executable: string;
  /** For LD_LIBRARY_PATH; empty if it was installed. */
  readonly libraries: string;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const PACKAGES = ['chromium', 'chromium-common'];

/** Rejects with what to install. */
export async function findChromium(): Promise<Chromium> {
  const { cacheHome, path } = readMachine();
  for (const name of NAMES) {
    const executable = await firstOnPath(name, path);
    if (executable !== null) return { executable, libraries: '' };
  }
  const root = join(cacheHome, 'daybell', `debian-${PACKAGES.join('-')}`);
  const executable = join(root, 'usr/lib/chromium/chromium');
  if (!(await isExecutable(executable))) {
    const problem = await unpackDebian(root, PACKAGES);
    if (!(await isExecutable(executable)))
      throw new Error(`Chromium is not on the PATH, nor could Debian's be had: ${problem}`);
  }
  return { executable, libraries: await debianLibraries(root) };
}
