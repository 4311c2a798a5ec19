import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { takeDataDir } from './data-dir.ts';
import { stopLeftovers } from './leftovers.ts';
import { createProcessRecord, readLeftovers } from './process-record.ts';

describe('what a start before left running', () => {
  test('is ended, with the signal that it understands', async () => {
    const dataDir = await temporaryFolder();
    const server = await sleeper();
    createProcessRecord(dataDir).add({
      name: 'postgres',
      pid: server.pid ?? 0,
      stopSignal: 'SIGINT',
      stopStage: 4,
    });
    await forgetOurselves(dataDir);
    const said: string[] = [];
    await stopLeftovers(dataDir, (line) => said.push(line));
    expect(server.signalCode ?? (await once(server, 'exit'))[1]).toBe('SIGINT');
    expect(said.join()).toContain(`postgres (process ${server.pid})`);
  });

  test('is left alone when the number belongs to another process by now', async () => {
    const dataDir = await temporaryFolder();
    const stranger = await sleeper();
    createProcessRecord(dataDir).add({
      name: 'postgres',
      pid: stranger.pid ?? 0,
      stopSignal: 'SIGINT',
      stopStage: 4,
    });
    const file = join(dataDir, 'processes.json');
    const record = await readFile(file, 'utf8');
    await writeFile(file, record.replaceAll(/"identity": "(.*)"/g, '"identity": "$1 or another"'));

    expect(readLeftovers(dataDir)).toEqual([]);
    await stopLeftovers(dataDir, () => {});
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  });

  test('is nothing when the record is not readable', async () => {
    const dataDir = await temporaryFolder();
    await writeFile(join(dataDir, 'processes.json'), '{"half": ');
    expect(readLeftovers(dataDir)).toEqual([]);
  });
});

test('a DATA_DIR is taken by one process at a time, and free again when that lets go', async () => {
  const dataDir = await temporaryFolder();
  const first = await takeDataDir(dataDir);
  await expect(takeDataDir(dataDir)).rejects.toThrow(`already runs on DATA_DIR ${dataDir}`);
  first.release();
  (await takeDataDir(dataDir)).release();
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-leftovers-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function sleeper(): Promise<ChildProcess> {
  const child = spawn('sleep', ['600']);
  await once(child, 'spawn');
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** The record names the process that made it, which is the test's own. */
async function forgetOurselves(dataDir: string): Promise<void> {
  const file = join(dataDir, 'processes.json');
  const entries: { name: string }[] = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify(entries.filter(({ name }) => name !== 'supervisor')));
}
