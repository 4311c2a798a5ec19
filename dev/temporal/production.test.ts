import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { describe, expect, onTestFinished, test } from 'vitest';

import { freePorts, HIGHEST_PORT } from '../ports.ts';
import { prepareProductionTemporal } from './production.ts';

/** Stands in for the schema tool: writes down what it was asked, and for which database. */
const TOOL = `#!/bin/sh
echo "$SQL_DATABASE $*" >> "\${0%/*}/asked"
`;

describe('the production Temporal server', () => {
  test('gets its schemas, and its settings by its environment', async () => {
    const { directory, sqlTool, options, asked } = await prepare();
    const server = join(directory, 'server');
    await writeFile(server, '#!/bin/sh\nprintf "%s\\n" "$*"\nenv\n', { mode: 0o755 });
    const child = await prepareProductionTemporal({ ...options, programs: { server, sqlTool } });
    expect(child).toMatchObject({ name: 'temporal', stopSignal: 'SIGTERM' });
    expect(await asked()).toEqual([
      'temporal create-database',
      'temporal setup-schema --version 0.0',
      'temporal update-schema --schema-name postgresql/v12/temporal',
      'temporal_visibility create-database',
      'temporal_visibility setup-schema --version 0.0',
      'temporal_visibility update-schema --schema-name postgresql/v12/visibility',
      expect.stringMatching(/^temporal_visibility setup-schema .*visibility-indexes\.sql$/),
    ]);

    const { stdout } = child.spawn();
    if (stdout === null) throw new Error('it has no output');
    const [words, ...lines] = (await text(stdout)).trim().split('\n');
    expect(words).toBe('start');
    const given = new Map(lines.map((line) => line.split(/=(.*)/) as [string, string]));
    expect(Object.fromEntries(given)).toMatchObject({
      NUM_HISTORY_SHARDS: '16',
      POSTGRES_SEEDS: '127.0.0.1',
      DB_PORT: '5433',
      POSTGRES_USER: 'daybell',
      DBNAME: 'temporal',
      BIND_ON_IP: '127.0.0.1',
      FRONTEND_GRPC_PORT: '17233',
      FRONTEND_HTTP_PORT: '17243',
      PROMETHEUS_ENDPOINT: '127.0.0.1:17244',
    });
    const ports = [...given].filter(([name]) => /_(GRPC|MEMBERSHIP)_PORT$/.test(name));
    expect(new Set(ports.map(([, each]) => each)).size).toBe(8);
    expect(Math.max(...ports.map(([, each]) => Number(each)))).toBeLessThanOrEqual(HIGHEST_PORT);
    const limits = await readFile(given.get('DYNAMIC_CONFIG_FILE_PATH') ?? '', 'utf8');
    expect(limits).toContain('matching.rps:');
  });

  test('that cannot have its schema says what the tool said', async () => {
    const { directory, options } = await prepare();
    const broken = join(directory, 'broken');
    await writeFile(broken, '#!/bin/sh\necho no such version >&2\nexit 1\n', { mode: 0o755 });
    const prepared = prepareProductionTemporal({
      ...options,
      programs: { server: broken, sqlTool: broken },
    });
    await expect(prepared).rejects.toThrow(/databases could not be.*\n.*no such version/s);
  });
});

test('free ports are different, and such as the production server can have', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  expect(Math.max(...ports)).toBeLessThanOrEqual(HIGHEST_PORT);
});

async function prepare() {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-production-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const sqlTool = join(directory, 'sql-tool');
  await writeFile(sqlTool, TOOL, { mode: 0o755 });
  return {
    directory,
    sqlTool,
    options: {
      dataDir: directory,
      postgresUrl: 'postgresql://daybell:secret@127.0.0.1:5433/postgres',
      port: 17_233,
      httpPort: 17_243,
      environment: { PROMETHEUS_ENDPOINT: '127.0.0.1:17244', NUM_HISTORY_SHARDS: '16' },
      onProgress: () => {},
    },
    async asked(): Promise<string[]> {
      return (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n');
    },
  };
}
