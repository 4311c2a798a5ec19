import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { readSupervisorPid } from './process-record.ts';
import { StartError } from './start-error.ts';

export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** Lets another start have it. */
  release(): void;
}

/** Creates the folder if need be, sees that it can be written to, and takes it for this process. */
export async function takeDataDir(setting: string): Promise<DataDir> {
  const path = resolve(setting);
  await makeWritable(path);
  return { path, release: lock(path) };
}

async function makeWritable(path: string): Promise<void> {
  const probe = join(path, `.probe-${process.pid}`);
  try {
    await makeFolder(path);
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    throw new StartError(
      `DATA_DIR: ${path} cannot be written to (${reason(error)}). Set DATA_DIR to a folder that can, such as DATA_DIR=~/daybell-data.`,
    );
  }
}

/**
 * The folder and those above it, as far as they are missing: for us alone; as root,
 * PostgreSQL's own user has to pass through. (Node's recursive mkdir never ends where
 * a file system refuses new folders with ENOENT, as /proc does.)
 */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path);
  await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * A lock that the kernel holds for as long as this process lives, and drops however it
 * dies: SQLite's, on a file that holds nothing.
 */
function lock(path: string): () => void {
  const file = new DatabaseSync(join(path, 'lock'));
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (!isBusy(error))
      throw new StartError(`DATA_DIR: ${path} cannot be locked (${reason(error)}).`);
    const pid = readSupervisorPid(path);
    throw new StartError(
      `Daybell already runs on DATA_DIR ${path}${pid === null ? '' : ` (process ${pid})`}. Stop that one first, or set DATA_DIR, PORT and the *_DEV_PORT settings for a second one.`,
    );
  }
  return () => file.close();
}

/** SQLITE_BUSY: another process has the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}

function reason(error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the file system is read-only';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'there is a file in its place';
    case 'ENOENT':
      return 'no folder can be made there';
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
