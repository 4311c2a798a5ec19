import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The file that marks a folder as in use by this process. */
const KEPT = new Set(['lock']);

/** Removes what an earlier bench left in it. */
export async function emptyFolder(folder: string): Promise<void> {
  const names = await readdir(folder);
  const left = names.filter((name) => !KEPT.has(name));
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
