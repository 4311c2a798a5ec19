/** Follows the demo's users until each greeting is settled, a line for each change. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { DemoApi, DemoOccurrence } from './api.ts';

export interface DemoUser {
  readonly id: string;
  readonly name: string;
  readonly timezone: string;
}

const LOOK_EVERY_MS = 250;
const SETTLED = new Set(['COMPLETED', 'FAILED', 'SKIPPED']);

/**
 * What became of each user's occurrence that is due at `dueAt`, in the order of the users; null if
 * it was never planned. Gives up at `until`. Both in epoch ms.
 */
export async function follow(
  api: DemoApi,
  users: readonly DemoUser[],
  { dueAt, until }: { readonly dueAt: number; readonly until: number },
  say: (line: string) => void,
): Promise<(DemoOccurrence | null)[]> {
  const nameWidth = Math.max(...users.map(({ name }) => name.length));
  const zoneWidth = Math.max(...users.map(({ timezone }) => timezone.length));
  const said = new Map<DemoUser, string>();
  for (;;) {
    const found = await Promise.all(users.map(({ id }) => api.findOccurrence(id, dueAt)));
    for (const [index, user] of users.entries()) {
      const words = inWords(found[index] ?? null);
      if (said.get(user) === words) continue;
      said.set(user, words);
      say(`  ${user.name.padEnd(nameWidth)}  ${user.timezone.padEnd(zoneWidth)}  ${words}`);
    }
    const allSettled = found.every((one) => one !== null && SETTLED.has(one.status));
    if (allSettled || Date.now() > until) return found;
    await sleep(LOOK_EVERY_MS);
  }
}

function inWords(occurrence: DemoOccurrence | null): string {
  if (occurrence === null) return 'created';
  const { status, attempts, latenessMs, reason } = occurrence;
  switch (status) {
    case 'PENDING':
      return attempts.length === 0
        ? 'planned'
        : `waits for its next attempt (${attempts.length} so far)`;
    case 'PROCESSING':
      return 'being sent';
    case 'COMPLETED':
      return `delivered, ${latenessMs} ms after the instant`;
    default:
      return `${status} (${reason ?? 'no reason given'})`;
  }
}
