/** The folder in which the embedded servers keep their data. */
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { takeOver, type ProcessRecord } from './process-record.ts';
import { StartError } from './start-error.ts';

/**
 * Creates the folder if it is missing, and claims it for this process, until the record is cleared.
 *
 * @throws StartError if it cannot be written to, or another supervisor runs on it
 */
export async function takeDataDir(
  setting: string,
  say: (line: string) => void,
): Promise<ProcessRecord> {
  const path = resolve(setting);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { message } = error as Error;
    throw new StartError(
      `DATA_DIR: ${path} cannot be written to (${message}). Set DATA_DIR to a folder that can, such as DATA_DIR=~/daybell-data.`,
    );
  }
  return takeOver(path, say);
}

/** Reads a secret from a file, which is created on first use and readable by its owner only. */
export async function keepSecret(file: string, make: () => string): Promise<string> {
  await writeFile(file, `${make()}\n`, { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return (await readFile(file, 'utf8')).trim();
}
