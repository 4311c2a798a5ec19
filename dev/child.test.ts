import { fork, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { createChild, type Child, type ChildSpec, type ChildState } from './child.ts';
import type { StartError } from './start-error.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-child-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('a supervised process', () => {
  test('is ready when it says so, and stops when asked', async () => {
    const { child, states, pids } = await supervise(`
      process.on('SIGTERM', () => process.exit(0));
      process.send({ type: 'ready' });
    `);
    await child.start();
    expect(states).toEqual(['starting', 'ready']);
    await child.stop();
    expect(states).toEqual(['starting', 'ready', 'down']);
    expect(isAlive(pids[0])).toBe(false);
  });

  test('is ready when polling finds it ready', async () => {
    let asked = 0;
    const { child, states } = await supervise('setInterval(() => {}, 1000)', {
      readiness: async () => ++asked > 2,
    });
    await child.start();
    expect(asked).toBe(3);
    expect(states).toEqual(['starting', 'ready']);
  });

  test('with a niceness has a lower priority than others, even after a restart', async () => {
    const { child, pids } = await supervise(READY, { niceness: 5 });
    await child.start();
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await expect.poll(() => pids.length, { timeout: 60_000 }).toBe(2);
    expect(getPriority(pids[1] ?? 0)).toBe(Math.min(getPriority() + 5, 19));
    expect(niceOfGroup(pids[1] ?? 0)).toMatch(/^(| nice 5)$/);
    const other = await supervise(READY);
    await other.child.start();
    expect(getPriority(other.pids[0] ?? 0)).toBe(getPriority());
  });

  test('is restarted a second after it dies', async () => {
    const { child, deaths, pids, states } = await supervise(READY);
    await child.start();
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await expect
      .poll(() => states, { timeout: 60_000 })
      .toEqual(['starting', 'ready', 'down', 'starting', 'ready']);
    expect(deaths).toEqual(['stand-in was killed by SIGKILL; restarting it in 1 s']);
    expect(pids).toHaveLength(2);
  });

  test('stops at once during the pause before a restart', async () => {
    const { child, deaths, pids } = await supervise(READY);
    await child.start();
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await expect.poll(() => deaths.length).toBe(1);
    await child.stop();
    expect(pids).toHaveLength(1);
  });

  test('is given up when it dies three times before it was ever ready, with its last output', async () => {
    const { child, deaths, givenUp } = await supervise('console.log("no luck"); process.exit(3)');
    child.start().catch(() => {});
    await expect.poll(() => givenUp.length, { timeout: 60_000 }).toBe(1);
    expect(givenUp[0]).toMatchObject({
      message: 'stand-in ended with exit code 3, again and again.\nIts last output:\n  no luck',
      exitCode: 1,
    });
    expect(deaths).toEqual([
      'stand-in ended with exit code 3; restarting it in 1 s',
      'stand-in ended with exit code 3; restarting it in 2 s',
    ]);
  });

  test('is given up at once when it refuses its settings', async () => {
    const { child, deaths, givenUp } = await supervise('process.exit(78)');
    child.start().catch(() => {});
    await expect.poll(() => givenUp.length, { timeout: 60_000 }).toBe(1);
    expect(givenUp[0]).toMatchObject({
      message: 'stand-in cannot run with these settings.\nIt printed nothing.',
      exitCode: 78,
    });
    expect(deaths).toEqual([]);
  });

  test('counts as dead when it is not ready in time', async () => {
    const { child, deaths, pids } = await supervise('setInterval(() => {}, 1000)', {
      readyWithinMs: 300,
    });
    child.start().catch(() => {});
    await expect
      .poll(() => deaths[0], { timeout: 60_000 })
      .toBe('stand-in was not ready within 0.3 s; restarting it in 1 s');
    expect(isAlive(pids[0])).toBe(false);
  });

  test('is killed when it does not stop in time', async () => {
    const { child, pids } = await supervise(`process.on('SIGTERM', () => {}); ${READY}`, {
      stopWithinMs: 200,
    });
    await child.start();
    await child.stop();
    expect(isAlive(pids[0])).toBe(false);
  });

  test('that does not exist is given up with the reason', async () => {
    const { child, givenUp } = await supervise('', {
      spawn: () => spawn(join(directory, 'nothing-here'), { stdio: ['ignore', 'pipe', 'pipe'] }),
    });
    child.start().catch(() => {});
    await expect
      .poll(() => givenUp[0]?.message, { timeout: 60_000 })
      .toMatch(/could not be started: .*ENOENT/);
  });

  test('is no longer awaited if it is stopped before it is ready', async () => {
    const { child } = await supervise('setInterval(() => {}, 1000)');
    const started = child.start();
    await child.stop();
    await expect(started).rejects.toThrow('was stopped');
  });
});

const READY = `process.send({ type: 'ready' }); process.on('message', () => {});`;
let scripts = 0;

interface Supervised {
  readonly child: Child;
  readonly states: ChildState[];
  readonly pids: number[];
  readonly deaths: string[];
  readonly givenUp: StartError[];
}

async function supervise(script: string, spec: Partial<ChildSpec> = {}): Promise<Supervised> {
  const file = join(directory, `${++scripts}.js`);
  await writeFile(file, script);
  const states: ChildState[] = [];
  const pids: number[] = [];
  const deaths: string[] = [];
  const givenUp: StartError[] = [];
  const child = createChild(
    {
      name: 'stand-in',
      spawn: () => fork(file, [], { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }),
      readyWithinMs: 30_000,
      stopSignal: 'SIGTERM',
      stopWithinMs: 10_000,
      killSignal: 'SIGKILL',
      ...spec,
    },
    {
      terminal: {
        say: () => {},
        warn: (line) => void deaths.push(line),
        print: () => {},
        showLine: () => {},
        readable: (line) => line,
      },
      record: { dataDir: directory, add: ({ pid }) => void pids.push(pid), clear: () => {} },
      onState: (state) => void states.push(state),
      onGivenUp: (error) => void givenUp.push(error),
    },
  );
  onTestFinished(async () => {
    child.kill();
    await child.stop();
  });
  return { child, states, pids, deaths, givenUp };
}

function isAlive(pid = 0): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * The priority of the group by which Linux shares the processor; empty if there are no such groups.
 */
function niceOfGroup(pid: number): string {
  const file = `/proc/${pid}/autogroup`;
  return existsSync(file) ? (/ nice \S+/.exec(readFileSync(file, 'utf8'))?.[0] ?? '') : '';
}
