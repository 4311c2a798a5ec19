import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { takeDataDir } from './data-dir.ts';
import { identifyProcess } from './process-identity.ts';
import { readRunning, takeOver } from './process-record.ts';

describe('what an earlier start left running', () => {
  test('is ended, with the signal that it understands', async () => {
    const server = await sleeper();
    const dataDir = await folderWith(server, identifyProcess(server.pid ?? 0));
    const said: string[] = [];
    await takeOver(dataDir, (line) => said.push(line));
    expect(server.signalCode ?? (await once(server, 'exit'))[1]).toBe('SIGINT');
    expect(said.join()).toContain(`postgres (process ${server.pid})`);
  });

  test('is left alone when the number belongs to another process by now', async () => {
    const stranger = await sleeper();
    const dataDir = await folderWith(stranger, 'of an earlier boot');
    expect(readRunning(dataDir)).toEqual([]);
    await takeOver(dataDir, () => {});
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  });

  test('is nothing when the record is not readable', async () => {
    const dataDir = await temporaryFolder();
    await writeFile(join(dataDir, 'processes.json'), '{"half": ');
    expect(readRunning(dataDir)).toEqual([]);
  });
});

test('a DATA_DIR is claimed by one process at a time, and free again when it is released', async () => {
  const dataDir = await temporaryFolder();
  const first = await takeDataDir(dataDir, () => {});
  await expect(takeDataDir(dataDir, () => {})).rejects.toThrow(
    `already runs on DATA_DIR ${dataDir} (process ${process.pid})`,
  );
  first.clear();
  const second = await takeDataDir(dataDir, () => {});
  expect(await readFile(join(dataDir, 'processes.json'), 'utf8')).toContain('supervisor');
  second.clear();
});

async function folderWith({ pid }: ChildProcess, identity: string | null): Promise<string> {
  const dataDir = await temporaryFolder();
  const entries = [{ name: 'postgres', pid, identity, stopSignal: 'SIGINT' }];
  await writeFile(join(dataDir, 'processes.json'), JSON.stringify(entries));
  return dataDir;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-record-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function sleeper(): Promise<ChildProcess> {
  const child = spawn('sleep', ['600']);
  await once(child, 'spawn');
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}
