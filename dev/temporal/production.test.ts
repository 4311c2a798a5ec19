import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest';

import { runSql } from '../../test/support/postgres.ts';
import { freePorts, HIGHEST_PORT } from '../ports.ts';
import { prepareProductionTemporal } from './production.ts';
import { setUpTemporalSchema, TEMPORAL_DATABASES } from './production-schema.ts';

/** Stands in for the schema tool: writes down what it was asked, and for which database. */
const TOOL = `#!/bin/sh
echo "$SQL_DATABASE $*" >> "\${0%/*}/asked"
`;

afterEach(async () => {
  for (const { database } of TEMPORAL_DATABASES) {
    await runSql(inject('postgresAdminUrl'), `drop database if exists ${database} with (force)`);
  }
});

describe('the production Temporal server', () => {
  test('gets its schemas, and is told its settings by its environment', async () => {
    const { directory, sqlTool, postgresUrl, asked } = await prepare();
    const server = join(directory, 'server');
    await writeFile(server, '#!/bin/sh\nprintf "%s\\n" "$*"\nenv\n', { mode: 0o755 });
    const child = await prepareProductionTemporal({
      programs: { server, sqlTool },
      dataDir: directory,
      postgresUrl,
      port: 17_233,
      httpPort: 17_243,
      metricsPort: 17_244,
      historyShards: 16,
      onProgress: () => {},
    });
    expect(child).toMatchObject({ name: 'temporal', stopSignal: 'SIGTERM' });
    expect(await asked()).toEqual([
      'temporal setup-schema --version 0.0',
      'temporal update-schema --schema-name postgresql/v12/temporal',
      'temporal_visibility setup-schema --version 0.0',
      'temporal_visibility update-schema --schema-name postgresql/v12/visibility',
    ]);

    const { stdout } = child.spawn();
    if (stdout === null) throw new Error('it has no output');
    const [words, ...lines] = (await text(stdout)).trim().split('\n');
    expect(words).toBe('start');
    const told = new Map(lines.map((line) => line.split(/=(.*)/) as [string, string]));
    const { hostname, port } = new URL(postgresUrl);
    expect(Object.fromEntries(told)).toMatchObject({
      NUM_HISTORY_SHARDS: '16',
      POSTGRES_SEEDS: hostname,
      DB_PORT: port,
      POSTGRES_USER: 'daybell',
      DBNAME: 'temporal',
      BIND_ON_IP: '127.0.0.1',
      FRONTEND_GRPC_PORT: '17233',
      FRONTEND_HTTP_PORT: '17243',
      PROMETHEUS_ENDPOINT: '127.0.0.1:17244',
    });
    const ports = [...told].filter(([name]) => /_(GRPC|MEMBERSHIP)_PORT$/.test(name));
    expect(new Set(ports.map(([, each]) => each)).size).toBe(8);
    expect(Math.max(...ports.map(([, each]) => Number(each)))).toBeLessThanOrEqual(HIGHEST_PORT);
    const limits = await readFile(told.get('DYNAMIC_CONFIG_FILE_PATH') ?? '', 'utf8');
    expect(limits).toContain('matching.rps:');
  });

  test('that cannot have its schema says what the tool said', async () => {
    const { directory, postgresUrl } = await prepare();
    const broken = join(directory, 'broken');
    await writeFile(broken, '#!/bin/sh\necho no such version >&2\nexit 1\n', { mode: 0o755 });
    const setUp = setUpTemporalSchema(broken, postgresUrl, () => {});
    await expect(setUp).rejects.toThrow(/database temporal.*\n.*no such version/);
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
    postgresUrl: inject('postgresAdminUrl'),
    async asked(): Promise<string[]> {
      return (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n');
    },
  };
}
