// @module-tag long
/** `npm run bench:herd` in small, so that it does not rot: what it measures is of no interest here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import type { HerdResult } from '../../bench/support/herd-result.ts';
import { stillRunning, temporaryDataDir } from '../support/started-daybell.ts';
import { readRunning } from '../../dev/process-record.ts';
import { runProgram } from '../support/process.ts';
import { findDevServerProgram } from '../support/temporal.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

test('the herd bench measures Daybell and the floor, and leaves nothing running', async () => {
  const dataDir = await temporaryDataDir();
  const outDir = join(dataDir, '..', 'results');
  const { HOME, XDG_CACHE_HOME } = process.env;
  const options = {
    users: '20',
    contenders: 'daybell,floor',
    // Soon enough: a delivery that is late is a delivery here.
    'head-start': '5',
    data: dataDir,
    out: outDir,
  };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const settings = { ...(HOME && { HOME }), ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }) };
  const bench = runProgram(process.execPath, ['bench/herd.ts', ...flags], { settings });
  await bench.line(/results are in/);
  expect(await bench.exited).toBe(0);

  const { results } = JSON.parse(await readFile(join(outDir, 'herd-20.json'), 'utf8')) as {
    results: HerdResult[];
  };
  expect(results).toMatchObject(
    ['daybell', 'floor'].map((contender) => ({
      contender,
      delivered: 20,
      missing: 0,
      duplicates: 0,
      early: 0,
      unsigned: 0,
      stopped: false,
    })),
  );
  const [daybell] = results;
  expect(daybell?.sleeper?.historyBytes).toBeGreaterThan(0);
  expect(daybell?.settledAfterMs).toBeGreaterThan(0);
  expect(await readFile(join(outDir, 'herd-20.svg'), 'utf8')).toContain('<polyline');
  expect(stillRunning(readRunning(dataDir))).toEqual([]);
}, 240_000);
