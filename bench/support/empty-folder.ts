import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What marks a folder as in use, by the one who empties it. */
const KEPT = new Set(['lock']);

/** Removes what an earlier bench left there. */
export async function emptyFolder(folder: string): Promise<void> {
  const names = await readdir(folder);
  const left = names.filter((name) => !KEPT.has(name));
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
