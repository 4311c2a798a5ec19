/** Follows the demo's users in the terminal until each greeting has come to its end. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { DemoApi, DemoOccurrence } from './api.ts';

export interface DemoUser {
  readonly id: string;
  readonly name: string;
  readonly timezone: string;
}

export interface FollowOptions {
  readonly api: DemoApi;
  readonly users: readonly DemoUser[];
  /** Epoch ms. */
  readonly dueAt: number;
  /** When to give up, epoch ms. */
  readonly until: number;
  readonly write: (text: string) => void;
  /** Redraw in place; otherwise a line is written for each change. */
  readonly live: boolean;
}

const LOOK_EVERY_MS = 250;
const FINAL = new Set(['COMPLETED', 'FAILED', 'SKIPPED']);

/** What became of each user's occurrence, in the order of the users; null: never planned. */
export async function follow(options: FollowOptions): Promise<(DemoOccurrence | null)[]> {
  const { api, users, dueAt, until } = options;
  const show = createTable(options);
  for (;;) {
    const found = await Promise.all(users.map(({ id }) => api.findOccurrence(id, dueAt)));
    show(found);
    const settled = found.every(
      (occurrence) => occurrence !== null && FINAL.has(occurrence.status),
    );
    if (settled || Date.now() > until) return found;
    await sleep(LOOK_EVERY_MS);
  }
}

function createTable({ users, dueAt, write, live }: FollowOptions) {
  const nameWidth = Math.max(...users.map(({ name }) => name.length));
  const zoneWidth = Math.max(...users.map(({ timezone }) => timezone.length));
  const row = (index: number, what: string): string => {
    const user = users[index];
    return `  ${user?.name.padEnd(nameWidth)}  ${user?.timezone.padEnd(zoneWidth)}  ${what}`;
  };
  let before: readonly string[] = [];

  return (found: readonly (DemoOccurrence | null)[]): void => {
    const rows = found.map((occurrence, index) => row(index, inWords(occurrence)));
    if (live) {
      const lines = [...rows, '', `  ${countdown(dueAt)}`];
      const up = before.length === 0 ? '' : `\u001B[${lines.length}A`;
      write(up + lines.map((line) => `\u001B[2K${line}\n`).join(''));
    } else {
      const changed = rows.filter((line, index) => line !== before[index]);
      write(changed.map((line) => `${line}\n`).join(''));
    }
    before = rows;
  };
}

function inWords(occurrence: DemoOccurrence | null): string {
  switch (occurrence?.status) {
    case undefined:
      return 'created';
    case 'PENDING':
      return 'planned: its workflow sleeps';
    case 'PROCESSING':
      return occurrence.attempts.length === 0
        ? 'armed: waits for the instant'
        : `being attempted again (${occurrence.attempts.length} so far)`;
    case 'COMPLETED':
      return `delivered, ${occurrence.latenessMs} ms after the instant`;
    default:
      return `${occurrence?.status} (${occurrence?.reason ?? 'no reason given'})`;
  }
}

function countdown(dueAt: number): string {
  const seconds = Math.ceil((dueAt - Date.now()) / 1000);
  return seconds > 0 ? `due in ${seconds} s` : 'due';
}
