/** Programs on this machine: on the PATH, or in the cache of what could be fetched again. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The first program of this name on a search path as the shell writes it, or null. */
export async function firstOnPath(program: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter).filter((entry) => entry !== '')) {
    const candidate = join(directory, program);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

/** Whether it is a file that can be run. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** Where Daybell keeps programs that it fetched or built, outside the checkout. */
export function programCache(cacheHome: string): string {
  return join(cacheHome, 'daybell', 'bin');
}
