import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { StartError } from '../start-error.ts';
import { findTemporalBinary, TEMPORAL_CLI_VERSION } from './binary.ts';

const SYSTEM_PATH = '/usr/bin:/bin';
const RECENT = temporalThatSays('temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)');
const OLD = temporalThatSays('temporal version 0.10.7 (Server 1.22.1) (UI 2.10.3)');
/** Stands in for Go: "builds" the program at once. */
const GO = `#!/bin/sh\ncat > "$GOBIN/temporal" <<'END'\n${RECENT}END\nchmod +x "$GOBIN/temporal"\n`;

let directory = '';
let bin = '';
let cached = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybell-temporal-'));
  bin = join(directory, 'bin');
  cached = join(directory, 'cache', 'daybell', 'bin', `temporal-${TEMPORAL_CLI_VERSION}`);
  await mkdir(bin);
  onTestFinished(() => rm(directory, { recursive: true }));
});

describe('the Temporal dev server', () => {
  test('is the one on the PATH', async () => {
    await install('temporal', RECENT);
    expect(await find()).toBe(join(bin, 'temporal'));
  });

  test('is not one on the PATH that is too old', async () => {
    await install('temporal', OLD);
    await install('go', GO);
    const said: string[] = [];
    expect(await find(said)).toBe(cached);
    expect(said[0]).toBe(
      `Passing over ${join(bin, 'temporal')}: its server 1.22 is older than 1.27.`,
    );
  });

  test('is built with Go once if it cannot be downloaded', async () => {
    await install('go', GO);
    const said: string[] = [];
    expect(await find(said)).toBe(cached);
    expect(said).toContainEqual(expect.stringMatching(/^It could not be downloaded: /));
    expect(said).toContainEqual(
      expect.stringMatching(/^Building github.com\/temporalio\/cli.* with Go/),
    );

    const saidLater: string[] = [];
    expect(await find(saidLater)).toBe(cached);
    expect(saidLater).toEqual([]);
  });

  test('can be searched for by two callers at once', async () => {
    await install('go', GO);
    expect(await Promise.all([find(), find()])).toEqual([cached, cached]);
    expect(await readFile(cached, 'utf8')).toBe(RECENT);
    expect(await readdir(join(cached, '..'))).toHaveLength(1);
  });

  test('that cannot be obtained is an error that says what to do', async () => {
    const error: unknown = await find().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toMatch(/download: .+/);
    expect(String(error)).toContain('Go build: there is no `go` on the PATH');
    expect(String(error)).toContain('set TEMPORAL_ADDRESS');
    expect(await readdir(join(cached, '..'))).toEqual([]);
  });

  test('is no longer looked for once the start is aborted', async () => {
    await install('go', '#!/bin/sh\nsleep 600\n');
    const stop = new AbortController();
    const found = find([], stop.signal, (line) => line.startsWith('Building') && stop.abort());
    await expect(found).rejects.toThrow('aborted');
    expect(await readdir(join(cached, '..'))).toEqual([]);
  });
});

function temporalThatSays(version: string): string {
  return `#!/bin/sh\necho '${version}'\n`;
}

async function install(name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), script, { mode: 0o755 });
}

function find(
  said: string[] = [],
  signal?: AbortSignal,
  watch: (line: string) => unknown = () => {},
) {
  const path = [bin, SYSTEM_PATH].join(delimiter);
  return findTemporalBinary({
    path,
    cacheHome: join(directory, 'cache'),
    // A proxy that refuses every connection: no download, whatever the machine's network.
    environment: { PATH: path, HTTPS_PROXY: 'http://127.0.0.1:1' },
    onProgress(line) {
      said.push(line);
      watch(line);
    },
    ...(signal !== undefined && { signal }),
  });
}
