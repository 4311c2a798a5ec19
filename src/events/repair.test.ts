import { expect, test, vi } from 'vitest';

import type { Finding } from './reconciliation.ts';
import { createRepair, type RepairDeps } from './repair.ts';
import { MessageRefusedError, SchedulerAwayError } from './scheduling.ts';

function finding(userId: string): Finding {
  const subject = `birthday:${userId}`;
  return {
    subject,
    kind: 'unplanned',
    eventType: 'birthday',
    userId,
    waitsForEngine: false,
    note: null,
  };
}

/** Ten at a time: the first batch is of u0 to u9. */
function repairing(replan: (userId: string) => Promise<void>) {
  const page = Array.from({ length: 15 }, (_, nth) => finding(`u${nth}`));
  const marked: { subject: string; note: string | null }[] = [];
  const deps: RepairDeps = {
    ledger: {
      findToTry: async () => page,
      markTried: async (tried) => void marked.push(...tried),
    },
    engine: {
      look: async () => ({ held: false, words: 'it runs' }),
      releaseDeliveries: async () => {},
    },
    scheduler: { replan: (_eventType, userId) => replan(userId) },
    redeliveries: { start: () => Promise.reject(new Error('not asked for here')) },
  };
  return { marked, repair: createRepair(deps) };
}

test('while the engine is away nothing more is told, and what was told is kept', async () => {
  const told = vi.fn<(userId: string) => Promise<void>>(async (userId) => {
    if (userId === 'u7') throw new SchedulerAwayError('gone');
  });
  const { marked, repair } = repairing(told);
  await expect(repair(new AbortController().signal)).rejects.toThrow(SchedulerAwayError);
  expect(marked).toHaveLength(9);
  expect(told).toHaveBeenCalledTimes(10);
});

test('a message that is refused for good is noted, and in the way of no other', async () => {
  const { marked, repair } = repairing(async (userId) => {
    if (userId === 'u7') throw new MessageRefusedError('no');
  });
  expect(await repair(new AbortController().signal)).toEqual({ tried: 15 });
  expect(marked.filter(({ note }) => note !== null)).toEqual([
    { subject: 'birthday:u7', note: 'Temporal refused the message' },
  ]);
});

test('one that is stopped ends after the batch in hand', async () => {
  const stopping = new AbortController();
  const { marked, repair } = repairing(async () => stopping.abort());
  expect(await repair(stopping.signal)).toEqual({ tried: 10 });
  expect(marked).toHaveLength(10);
});
