/**
 * What the compose file runs once before and after Temporal starts: against real servers, twice.
 */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

import { runCommand } from '../../dev/run-command.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { querySql, withDatabase } from '../support/postgres.ts';
import {
  findDevServerProgram,
  findProductionPrograms,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..', 'deploy', 'temporal');
const DAY_SECONDS = 24 * 3_600;

/** The tools under the names that they have in their image. */
let tools: string;
let sqlTool: string;
beforeAll(async () => {
  ({ sqlTool } = await findProductionPrograms());
  tools = await mkdtemp(join(tmpdir(), 'daybell-tools-'));
  await symlink(sqlTool, join(tools, 'temporal-sql-tool'));
  await symlink(await findDevServerProgram(), join(tools, 'temporal'));
}, 30 * 60_000);
afterAll(() => rm(tools, { recursive: true }));

function runScript(name: string, variables: NodeJS.ProcessEnv) {
  return runCommand('/bin/sh', [join(SCRIPTS, name)], {
    env: { PATH: `${tools}:/usr/bin:/bin`, HOME: tools, ...variables },
    timeoutMs: 120_000,
  });
}

test(
  'the schema is set up, and unchanged when it is set up again',
  { timeout: 300_000 },
  async () => {
    const postgres = await startPostgresServer();
    onTestFinished(postgres.stop);
    const { hostname, port, username, password } = new URL(postgres.adminUrl);
    const variables = {
      SQL_PLUGIN: 'postgres12',
      SQL_HOST: hostname,
      SQL_PORT: port,
      SQL_USER: username,
      SQL_PASSWORD: decodeURIComponent(password),
    };

    expect(await runScript('set-up-schema.sh', variables)).toMatchObject({ ok: true });
    const made = await versions(postgres.adminUrl);
    expect(made).toEqual([
      [{ curr_version: expect.stringMatching(/^1\.\d+/), tables: expect.any(Number) }],
      [{ curr_version: expect.stringMatching(/^1\.\d+/), tables: expect.any(Number) }],
    ]);
    expect(await runScript('set-up-schema.sh', variables)).toMatchObject({ ok: true });
    expect(await versions(postgres.adminUrl)).toEqual(made);
    expect(await indexesOfMissingAttributes(postgres.adminUrl)).toEqual([
      'by_temporal_namespace_division',
    ]);

    const wrong = await runScript('set-up-schema.sh', { ...variables, SQL_PASSWORD: 'wrong' });
    expect(wrong.ok).toBe(false);
  },
);

test(
  'the namespace is created with its retention, and found the next time',
  { timeout: 240_000 },
  async () => {
    const temporal = await useDevServer();
    onTestFinished(temporal.close);
    const namespace = uniqueTaskQueue();
    const variables = {
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: namespace,
      RETENTION_DAYS: '3',
    };
    expect(await runScript('create-namespace.sh', variables)).toMatchObject({ ok: true });
    const { config } = await temporal.client.workflowService.describeNamespace({ namespace });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(3 * DAY_SECONDS);
    const again = await runScript('create-namespace.sh', variables);
    expect(again).toMatchObject({ ok: true, output: expect.stringContaining('is there') });
  },
);

/** The version of each of the two databases, and how many tables it has. */
function versions(adminUrl: string) {
  const sql = `select curr_version,
      (select count(*)::int from pg_tables where schemaname = 'public') as tables
    from schema_version`;
  return Promise.all(
    ['temporal', 'temporal_visibility'].map((name) => querySql(withDatabase(adminUrl, name), sql)),
  );
}

/** Indexes of the visibility table that have entries for workflows without their attribute. */
async function indexesOfMissingAttributes(adminUrl: string): Promise<unknown[]> {
  const sql = `select i.indexrelid::regclass::text as name from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[1]
    where i.indrelid = 'executions_visibility'::regclass and i.indpred is null and not a.attnotnull`;
  const rows = await querySql(withDatabase(adminUrl, 'temporal_visibility'), sql);
  return rows.map(({ name }) => name);
}
