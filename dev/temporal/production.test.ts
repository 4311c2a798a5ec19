import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { describe, expect, onTestFinished, test } from 'vitest';

import type { ChildSpec } from '../child.ts';
import { freePorts, HIGHEST_PORT } from '../ports.ts';
import { prepareProductionTemporal, temporalConnections } from './production.ts';

/** Stands in for the schema tool: records its arguments, and the database. */
const TOOL = `#!/bin/sh
echo "$SQL_DATABASE $*" >> "\${0%/*}/asked"
`;

describe('the production Temporal server', () => {
  test('gets its schemas, and its settings from the environment', async () => {
    const { directory, sqlTool, options, asked } = await prepare();
    const server = join(directory, 'server');
    await writeFile(server, '#!/bin/sh\nprintf "%s\\n" "$*"\nenv\n', { mode: 0o755 });
    const programs = { server, sqlTool };
    const { children, nodes } = await prepareProductionTemporal({ ...options, programs });
    expect(children).toMatchObject([{ name: 'temporal', stopSignal: 'SIGTERM' }]);
    expect(await asked()).toEqual([
      'temporal create-database',
      'temporal setup-schema --version 0.0',
      'temporal update-schema --schema-name postgresql/v12/temporal',
      'temporal_visibility create-database',
      'temporal_visibility setup-schema --version 0.0',
      'temporal_visibility update-schema --schema-name postgresql/v12/visibility',
      expect.stringMatching(/^temporal_visibility setup-schema .*visibility-indexes\.sql$/),
    ]);

    const { words, given } = await outputOf(children[0]);
    expect(words).toBe(
      'start --service frontend --service history --service matching --service worker',
    );
    expect(Object.fromEntries(given)).toMatchObject({
      NUM_HISTORY_SHARDS: '16',
      POSTGRES_SEEDS: '127.0.0.1',
      DB_PORT: '5433',
      POSTGRES_USER: 'daybell',
      DBNAME: 'temporal',
      BIND_ON_IP: '127.0.0.1',
      FRONTEND_GRPC_PORT: '17233',
      PROMETHEUS_ENDPOINT: `127.0.0.1:${nodes[0]?.metricsPort}`,
    });
    const ports = [...given].filter(([name]) => /_(GRPC|MEMBERSHIP)_PORT$/.test(name));
    expect(new Set(ports.map(([, each]) => each)).size).toBe(8);
    expect(Math.max(...ports.map(([, each]) => Number(each)))).toBeLessThanOrEqual(HIGHEST_PORT);
    const limits = await readFile(given.get('DYNAMIC_CONFIG_FILE_PATH') ?? '', 'utf8');
    expect(limits).toContain('matching.rps:');
  });

  test('as a cluster runs each service separately, with a balancer where clients connect', async () => {
    const { directory, sqlTool, options } = await prepare();
    const server = join(directory, 'server');
    await writeFile(server, '#!/bin/sh\nprintf "%s\\n" "$*"\nenv\n', { mode: 0o755 });
    const programs = { server, sqlTool };
    const cluster = await prepareProductionTemporal({ ...options, programs, nodes: 2 });
    const names = [
      'temporal-frontend-1',
      'temporal-frontend-2',
      'temporal-history-1',
      'temporal-history-2',
      'temporal-matching-1',
      'temporal-matching-2',
      'temporal-worker-1',
    ];
    expect(cluster.children.map(({ name }) => name)).toEqual([...names, 'temporal-balancer']);
    expect(cluster.nodes.map(({ name }) => name)).toEqual(names);

    const ports: string[] = [];
    for (const [index, node] of cluster.nodes.entries()) {
      const { words, given } = await outputOf(cluster.children[index]);
      const [, service = ''] = node.name.split('-');
      expect(words).toBe(`start --service ${service}`);
      expect(Object.fromEntries(given)).toMatchObject({
        TEMPORAL_BROADCAST_ADDRESS: '127.0.0.1',
        CLUSTER_RPC_ADDRESS: '127.0.0.1:17233',
        [`${service.toUpperCase()}_GRPC_PORT`]: String(node.port),
        PROMETHEUS_ENDPOINT: `127.0.0.1:${node.metricsPort}`,
        NUM_HISTORY_SHARDS: '16',
        // What is enough for the service alone is shared by the two.
        SQL_MAX_CONNS: '20',
        SQL_VIS_MAX_CONNS: '5',
      });
      ports.push(...[...given].filter(([name]) => name.endsWith('_PORT')).map(([, port]) => port));
    }
    // Without PostgreSQL's.
    const own = ports.filter((port) => port !== '5433');
    expect(new Set(own).size).toBe(own.length);
    expect(own).not.toContain('17233');
    expect(temporalConnections(2)).toBe(7 * (20 + 5));
  });

  test("whose schema cannot be set up reports the tool's output", async () => {
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

test('free ports are different, and usable by the production server', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  expect(Math.max(...ports)).toBeLessThanOrEqual(HIGHEST_PORT);
});

/** Runs the stand-in for a server: its arguments, and its environment. */
async function outputOf(child: ChildSpec | undefined) {
  const stdout = child?.spawn().stdout;
  if (!stdout) throw new Error('it has no output');
  const [words, ...lines] = (await text(stdout)).trim().split('\n');
  return { words, given: new Map(lines.map((line) => line.split(/=(.*)/) as [string, string])) };
}

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
      hasMetrics: true,
      environment: { NUM_HISTORY_SHARDS: '16' },
      onProgress: () => {},
    },
    async asked(): Promise<string[]> {
      return (await readFile(join(directory, 'asked'), 'utf8')).trim().split('\n');
    },
  };
}
