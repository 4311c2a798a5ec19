import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest';

import { runSql } from '../../test/support/postgres.ts';
import { freePorts, HIGHEST_PORT } from './free-ports.ts';
import { prepareProductionTemporal } from './temporal-production.ts';
import { setUpTemporalSchema, TEMPORAL_DATABASES } from './temporal-production-schema.ts';

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
  test('gets its schemas, and a configuration that only its owner can read', async () => {
    const { directory, sqlTool, postgresUrl, asked } = await prepare();
    const child = await prepareProductionTemporal({
      programs: { server: '/bin/false', sqlTool },
      dataDir: directory,
      postgresUrl,
      port: 17_233,
      httpPort: 17_243,
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

    const file = join(directory, 'temporal-server.yaml');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { persistence, services, dynamicConfigClient } = JSON.parse(await readFile(file, 'utf8'));
    expect(persistence.numHistoryShards).toBe(16);
    expect(persistence.datastores.default.sql).toMatchObject({
      databaseName: 'temporal',
      connectAddr: new URL(postgresUrl).host,
      user: 'daybell',
    });
    expect(services.frontend.rpc).toMatchObject({ grpcPort: 17_233, httpPort: 17_243 });
    const ports = Object.values<{ rpc: Record<string, number> }>(services).flatMap(({ rpc }) => [
      rpc['grpcPort'],
      rpc['membershipPort'],
    ]);
    expect(new Set(ports).size).toBe(8);
    expect(Math.max(...ports.map(Number))).toBeLessThanOrEqual(HIGHEST_PORT);
    expect(await readFile(dynamicConfigClient.filepath, 'utf8')).toContain('matching.rps:');
  });

  test('is refused a port that its own table has no room for', async () => {
    const { directory, sqlTool, postgresUrl } = await prepare();
    const options = { dataDir: directory, postgresUrl, port: 40_000, httpPort: 17_243 };
    const programs = { server: '/bin/false', sqlTool };
    const prepared = prepareProductionTemporal({ ...options, programs, onProgress: () => {} });
    await expect(prepared).rejects.toThrow('port 40000: must be 32767 at the most');
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
