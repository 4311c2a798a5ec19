/** A Daybell of processes, in its own namespace, and an operator's shell beside it. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from '@temporalio/client';
import { vi } from 'vitest';

import { SCOPES } from '../../src/access/api-key.ts';
import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { withMetricsPort } from '../../dev/ports.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, runProgram, type TestProcess } from '../support/process.ts';
import { startPrometheus } from '../metrics/prometheus-server.ts';
import {
  findDevServerProgram,
  findWorkflowBundle,
  uniqueTaskQueue,
  useDevServer,
} from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

export interface OperatedDaybell {
  readonly receiver: WebhookReceiver;
  /** The environment of the operator's shell; a test adds to it. */
  readonly variables: Record<string, string>;
  /** The namespace that the processes are in. */
  client(): Client;
  /** Calls the API; rejects for a status other than success. */
  // The shape is what a test is about.
  // oxlint-disable-next-line typescript/no-explicit-any
  send(method: string, path: string, body?: object): Promise<any>;
  sql<Row>(query: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Runs a command. */
  run(command: string): Promise<{ exitCode: number | null; said: string }>;
  process(name: ProcessName): TestProcess;
  start(...names: ProcessName[]): Promise<void>;
  stop(...names: ProcessName[]): Promise<void>;
  /** Starts the following processes in another namespace; waits until it can be used. */
  moveTo(namespace: string): Promise<void>;
  close(): Promise<void>;
}

export const ALL = ['api', 'scheduler', 'worker', 'dispatcher'] as const;
export type ProcessName = (typeof ALL)[number];

/** A new namespace is not known to the whole server at once. */
const WITHIN = { timeout: 60_000, interval: 200 };

/** Starts everything, with these additional settings. */
export async function startOperatedDaybell(
  rules: Readonly<Record<string, string>>,
): Promise<OperatedDaybell> {
  const temporal = await useDevServer();
  const database = await createTestDatabase();
  const receiver = await startWebhookReceiver();
  const { key, entry } = newApiKey('operator', SCOPES);
  const settings: Record<string, string> = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: `operated-${randomUUID()}`,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    PORT: String(await freePort()),
    API_KEYS: entry,
    ...rules,
  };
  // The installation's date rules are those recorded with its schema.
  const migrated = await runProcess(ENTRIES.migrate, settings).exited;
  if (migrated !== 0) throw new Error(`migrate ended with ${migrated}`);
  const api = `http://127.0.0.1:${settings['PORT']}`;
  const metrics = {
    api: await freePort(),
    worker: await freePort(),
    dispatcher: await freePort(),
    scheduler: await freePort(),
  };
  const prometheus = await startPrometheus(
    Object.fromEntries(Object.entries(metrics).map(([name, port]) => [name, `127.0.0.1:${port}`])),
    'deploy/prometheus/alerts.yml',
    '5s',
  );
  // A home without the configuration of the user who runs the test.
  const home = await mkdtemp(join(tmpdir(), 'daybell-operator-'));
  await symlink(await findDevServerProgram(), join(home, 'temporal'));
  const variables: Record<string, string> = {
    ...settings,
    API: api,
    METRICS: `http://127.0.0.1:${metrics.api}`,
    PROMETHEUS: prometheus.url,
    API_KEY: key,
    HOME: home,
    PATH: `${home}:${process.env['PATH']}`,
    // It would query the registry.
    npm_config_update_notifier: 'false',
  };
  const processes = new Map<ProcessName, TestProcess>();
  const client = () =>
    new Client({
      connection: temporal.client.connection,
      namespace: settings['TEMPORAL_NAMESPACE'] ?? '',
    });

  const daybell: OperatedDaybell = {
    receiver,
    variables,
    client,
    async send(method, path, body) {
      const response = await fetch(`${api}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? {} : JSON.parse(text);
    },
    sql: (query, params = []) => database.orm.em.fork().execute(query, [...params]),
    async run(command) {
      const shell = runProgram('bash', ['-c', command], { settings: variables });
      const exitCode = await shell.exited;
      return { exitCode, said: shell.lines.join('\n') };
    },
    process(name) {
      const running = processes.get(name);
      if (running === undefined) throw new Error(`${name} does not run`);
      return running;
    },
    async start(...names) {
      for (const name of names) {
        const own = withMetricsPort(settings, name, metrics);
        processes.set(name, runProcess(ENTRIES[name], own));
      }
      await Promise.all(names.map((name) => daybell.process(name).line(/"ready"/)));
    },
    async stop(...names) {
      await Promise.all(
        names.map(async (name) => {
          await processes.get(name)?.stop();
          processes.delete(name);
        }),
      );
    },
    async moveTo(namespace) {
      settings['TEMPORAL_NAMESPACE'] = namespace;
      await vi.waitUntil(() => isUsable(client()), WITHIN);
    },
    async close() {
      await daybell.stop(...ALL);
      await prometheus.stop();
      await temporal.close();
      await receiver.close();
      await database.drop();
      await rm(home, { recursive: true });
    },
  };

  const first = settings['TEMPORAL_NAMESPACE'] ?? '';
  await daybell.run(`temporal operator namespace create --namespace ${first}`);
  await daybell.moveTo(first);
  await daybell.start(...ALL);
  return daybell;
}

function isUsable(client: Client): Promise<boolean> {
  return client.workflow.count().then(
    () => true,
    () => false,
  );
}
