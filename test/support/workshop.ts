import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';

/**
 * Fills a folder beside `target` and renames it: nobody ever sees half of it. Returns the problem.
 */
export async function inWorkshop(
  target: string,
  fill: (workshop: string) => Promise<string | null>,
): Promise<string> {
  const workshop = `${target}-${randomUUID()}`;
  await mkdir(workshop, { recursive: true });
  try {
    const problem = await fill(workshop);
    if (problem !== null) return problem;
    // Another run may have been faster.
    await rename(workshop, target).catch(() => {});
    return 'what was fetched does not contain it';
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}
