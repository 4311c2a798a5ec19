/** The folder in which everything embedded stores. */
import { access, constants, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { takeOver, type ProcessRecord } from './process-record.ts';
import { StartError } from './start-error.ts';

export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** Its `clear` gives the folder free. */
  readonly record: ProcessRecord;
}

/**
 * Creates the folder if it is missing, and takes it for this process.
 *
 * @throws StartError when it cannot be written to, or another supervisor runs on it
 */
export async function takeDataDir(setting: string, say: (line: string) => void): Promise<DataDir> {
  const path = resolve(setting);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(
      `DATA_DIR: ${path} cannot be written to (${reason(error)}). Set DATA_DIR to a folder that can, such as DATA_DIR=~/daybell-data.`,
    );
  }
  return { path, record: await takeOver(path, say) };
}

/**
 * What a file holds, made the first time, for its owner alone to read. It is written beside its
 * place and renamed: a start that is killed leaves no half of one.
 */
export async function keepSecret(file: string, make: () => string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return null;
  });
  if (kept !== null) return kept.trim();
  const secret = make();
  await writeFile(`${file}.new`, `${secret}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return secret;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'there is a file in its place';
  return message;
}
