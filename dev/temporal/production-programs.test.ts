import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { StartError } from '../start-error.ts';
import { findProductionPrograms, TEMPORAL_SERVER_VERSION } from './production-programs.ts';

const SYSTEM_PATH = '/usr/bin:/bin';
/** Stands in for Go: "builds" whatever it is asked for at once. */
const GO = `#!/bin/sh
target=\${2%@*}
printf '#!/bin/sh\\n' > "$GOBIN/\${target##*/}"
chmod +x "$GOBIN/\${target##*/}"
`;

describe("the production Temporal server's programs", () => {
  test('are built with Go, once', async () => {
    const { cacheHome, find } = await machine(GO);
    const bin = join(cacheHome, 'daybell', 'bin');
    const said: string[] = [];
    expect(await find(said)).toEqual({
      server: join(bin, `temporal-server-${TEMPORAL_SERVER_VERSION}`),
      sqlTool: join(bin, `temporal-sql-tool-${TEMPORAL_SERVER_VERSION}`),
    });
    expect(said[0]).toMatch(/^Building go.temporal.io\/server.* with Go \(once; up to 10 minutes/);
    expect(await readdir(bin)).toHaveLength(2);

    const saidLater: string[] = [];
    await find(saidLater);
    expect(saidLater).toEqual([]);
  });

  test('that cannot be built are an error that says what to do', async () => {
    const { cacheHome, find } = await machine(null);
    const error: unknown = await find([]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toContain('Go build: there is no `go` on the PATH');
    expect(String(error)).toContain(
      `go install go.temporal.io/server/cmd/server@v${TEMPORAL_SERVER_VERSION}`,
    );
    expect(await readdir(join(cacheHome, 'daybell', 'bin'))).toEqual([]);
  });
});

/** A machine with this Go, or none. */
async function machine(go: string | null) {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-programs-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const bin = join(directory, 'bin');
  await mkdir(bin);
  if (go !== null) await writeFile(join(bin, 'go'), go, { mode: 0o755 });
  const path = [bin, SYSTEM_PATH].join(delimiter);
  const cacheHome = join(directory, 'cache');
  const find = (said: string[]) =>
    findProductionPrograms({
      path,
      cacheHome,
      environment: { PATH: path },
      onProgress: (line) => void said.push(line),
    });
  return { cacheHome, find };
}
