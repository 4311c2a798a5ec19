/** The memory of a process that imports does not depend on the size of a file. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { useTestDatabase } from '../support/postgres.ts';
import type { Question } from './import-memory-child.ts';

const database = useTestDatabase();
const ROWS = 10_000;
const TIMES = 10;

test.for(['API', 'console'] as const)(
  'by the %s, ten times the rows do not take half as much memory again',
  async (by) => {
    const child = fork(join(import.meta.dirname, './import-memory-child.ts'), {
      execArgv: ['--expose-gc'],
    });
    onTestFinished(async () => {
      if (child.connected) child.disconnect();
      await ended.catch(() => {});
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the import ended with ${code}`);
    });
    ended.catch(() => {});
    await Promise.race([once(child, 'message'), ended]);
    const peakOf = async (rows: number): Promise<number> => {
      child.send({ databaseUrl: database.url, rows, by } satisfies Question);
      const [peak] = await Promise.race([once(child, 'message'), ended]);
      return peak;
    };
    // Code is compiled and pools are filled once, whatever follows.
    await peakOf(ROWS);
    const few = await peakOf(ROWS);
    const many = await peakOf(ROWS * TIMES);
    expect(many).toBeLessThan(1.5 * few);
  },
);
