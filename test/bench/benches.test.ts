// @module-tag long
/** `npm run bench:herd`, `bench:dashboard` and `bench:million` in small, so that they do not rot; side by side, since all wait for a full minute. */
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import type { HerdResult } from '../../bench/support/herd-result.ts';
import { ROWS } from '../../deploy/grafana/rows.ts';
import { readRunning } from '../../dev/process-record.ts';
import { stillRunning, temporaryDataDir } from '../support/started-daybell.ts';
import { askRun } from '../support/ask-run.ts';
import { runProgram } from '../support/process.ts';
import { findDevServerProgram, findWorkflowBundle } from '../support/temporal.ts';

const TITLES = ROWS.flatMap(({ title, panels }) =>
  panels.map((panel) => panel.title).concat(title),
);

/** The text in a picture. */
async function wordsOf(svg: string): Promise<string[]> {
  const picture = await readFile(svg, 'utf8');
  expect(picture).not.toMatch(/NaN|Infinity|undefined/);
  return [...picture.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, words = '']) => words);
}

let prometheus: string;
beforeAll(async () => {
  prometheus = await askRun('prometheus');
  await findDevServerProgram();
}, 25 * 60_000);

test.concurrent(
  'the herd bench measures Daybell and the floor, and leaves nothing running',
  { timeout: 240_000 },
  async ({ expect, onTestFinished }) => {
    const dataDir = await temporaryDataDir(onTestFinished);
    const outDir = join(dataDir, '..', 'results');
    const { HOME, XDG_CACHE_HOME } = process.env;
    const options = {
      users: '20',
      contenders: 'daybell,floor',
      // Soon enough: here, a late delivery still counts as one.
      'head-start': '5',
      data: dataDir,
      out: outDir,
    };
    const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const settings = {
      WORKFLOW_BUNDLE: await findWorkflowBundle(),
      ...(HOME && { HOME }),
      ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }),
    };
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
    const words = await wordsOf(join(outDir, 'herd-20.svg'));
    for (const contender of ['daybell', 'floor'])
      expect(words).toContainEqual(expect.stringContaining(`${contender}: p99 `));
    expect(stillRunning(readRunning(dataDir))).toEqual([]);
  },
);

test.concurrent(
  'the bench draws what each panel of the dashboard shows of a herd, and leaves nothing running',
  { timeout: 240_000 },
  async ({ expect, onTestFinished }) => {
    const dataDir = await temporaryDataDir(onTestFinished);
    const outDir = join(dataDir, '..', 'results');
    const svg = join(dataDir, '..', 'dashboard.svg');
    const { HOME, XDG_CACHE_HOME, PATH } = process.env;
    const options = { users: '20', 'head-start': '5', svg };
    const flags = Object.entries({ ...options, data: dataDir, out: outDir }).map(
      ([name, value]) => `--${name}=${value}`,
    );
    const settings = {
      PATH: [dirname(prometheus), PATH].join(delimiter),
      WORKFLOW_BUNDLE: await findWorkflowBundle(),
      ...(HOME && { HOME }),
      ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }),
    };
    const bench = runProgram(process.execPath, ['bench/dashboard.ts', ...flags], { settings });
    await bench.line(/results are in/);
    expect(await bench.exited).toBe(0);

    const words = await wordsOf(svg);
    expect(words).toEqual(expect.arrayContaining(TITLES));
    expect(words[words.indexOf('Due') + 1]).toBe('20');
    expect(stillRunning(readRunning(dataDir))).toEqual([]);
  },
);

test.concurrent(
  'the bench of a million goes through all of its stages with five hundred, and leaves nothing running',
  { timeout: 600_000 },
  async ({ expect, onTestFinished }) => {
    const dataDir = await temporaryDataDir(onTestFinished);
    const outDir = join(dataDir, '..', 'results');
    const { HOME, XDG_CACHE_HOME } = process.env;
    const options = {
      users: '500',
      few: '500',
      'notify-minutes': '1',
      dispatchers: '1',
      claims: '2',
      // Of five hundred, somebody is due in six days, whichever these are.
      days: '6',
      data: dataDir,
      out: outDir,
    };
    const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const settings = {
      WORKFLOW_BUNDLE: await findWorkflowBundle(),
      ...(HOME && { HOME }),
      ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }),
    };
    const bench = runProgram(process.execPath, ['bench/million.ts', ...flags], { settings });
    expect(await bench.exited, bench.lines.join('\n')).toBe(0);

    const result = JSON.parse(await readFile(join(outDir, 'million.json'), 'utf8'));
    expect(result).toMatchObject({
      day: { due: 2, missing: 0, duplicates: 0, early: 0, sentByWorkflow: 0 },
      // A start, an activity, a timer until next year; a signal, an activity, a timer; and without
      // that timer, but with one more if the cancel request comes while the activity runs.
      actions: { sentByDispatcher: 3, changeOfDate: 3, deletion: expect.toBeOneOf([2, 3]) },
      commands: ['reconcile', 'audit of a day', 'forecast of 24 hours', 'forecast of 400 days'].map(
        (command) => ({ command, exitCode: 0 }),
      ),
      compared: { claims: [expect.any(Array), expect.any(Array)] },
      year: { days: 6, storage: 'shipped' },
    });
    expect(result.broughtIn.bytesPerUser).toBeGreaterThan(0);
    expect(result.notified.bytesPerWorkflow).toBeGreaterThan(0);
    expect(result.year.sent).toBeGreaterThan(0);
    expect(stillRunning(readRunning(dataDir))).toEqual([]);
  },
);
