/** A whole Daybell on servers of its own, every process by itself, with a link on every way between them. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import type { ChildSpec } from '../../dev/child.ts';
import { freePorts } from '../../dev/ports.ts';
import { prepareEmbeddedPostgres } from '../../dev/postgres/embedded.ts';
import { temporalConnections } from '../../dev/temporal/production.ts';
import { prepareTemporal, type TemporalKind } from '../../bench/support/temporal.ts';
import { ENTRIES, runProcess, runProgram } from '../support/process.ts';
import { startLink, type Link } from '../support/link.ts';
import { createPart, endOf, type Part, type Started } from './part.ts';

export interface Installation {
  /** Of the API. */
  readonly url: string;
  /** Past the links. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Where each process writes what it says. */
  readonly logs: string;
  /** In the order in which they are started. */
  readonly parts: readonly Part[];
  part(name: string): Part;
  readonly links: readonly Link[];
  link(name: string): Link;
  stop(): Promise<void>;
}

export interface InstallationOptions {
  readonly dataDir: string;
  readonly temporal: TemporalKind;
  readonly temporalNodes: number;
  readonly receiverPort: number;
  readonly settings: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

const SERVICES = [
  { name: 'api', entry: ENTRIES.api },
  { name: 'scheduler', entry: ENTRIES.scheduler },
  { name: 'worker', entry: ENTRIES.worker },
  { name: 'dispatcher-1', entry: ENTRIES.dispatcher },
  { name: 'dispatcher-2', entry: ENTRIES.dispatcher },
] as const;

/** Short, so that what a dead dispatcher held is sent again within a run: 15 s later. */
const WEBHOOK_TIMEOUT_MS = 5_000;
const TASK_QUEUE = 'chaos';
/** The pools of five processes, and the run's own. */
const CONNECTIONS = 120;

/** Starts all of it; resolves when everything is ready. */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { dataDir, receiverPort, temporalNodes, say } = options;
  const machine = readMachine();
  const logs = join(dataDir, 'logs');
  await mkdir(logs);
  const [postgresPort = 0, apiPort = 0] = await freePorts(2);

  const postgres = await prepareEmbeddedPostgres({
    dataDir,
    port: postgresPort,
    connections: CONNECTIONS + temporalConnections(temporalNodes),
    onProgress: say,
  });
  // PostgreSQL and Temporal come first, and go last.
  const servers: Part[] = [serverPart(postgres.child, logs)];
  const services: Part[] = [];
  const links: Link[] = [];
  const link = async (name: string, port: number): Promise<number> => {
    const started = await startLink(name, port);
    links.push(started);
    return started.port;
  };
  const stop = async (): Promise<void> => {
    for (const part of [...services, ...servers.toReversed()]) await part.stop();
    for (const each of links) each.close();
  };

  try {
    await Promise.all(servers.map((part) => part.start()));
    // The production server's schema is set up in a database that runs.
    const temporal = await prepareTemporal({
      temporal: options.temporal,
      temporalNodes,
      machine,
      dataDir,
      postgresUrl: postgres.url,
      progress: { say, tick: say },
    });
    const nodes = temporal.children.map((child) => serverPart(child, logs));
    servers.push(...nodes);
    await Promise.all(nodes.map((part) => part.start()));
    const { WORKFLOW_BUNDLE = join(dataDir, 'workflows.json') } = options.settings;
    const shared = {
      ...options.settings,
      TEMPORAL_NAMESPACE: 'default',
      TEMPORAL_TASK_QUEUE: TASK_QUEUE,
      TEMPORAL_CONFIG_FILE: join(dataDir, 'no-temporal-profile.toml'),
      WEBHOOK_SECRETS: newWebhookSecret(),
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_TIMEOUT_MS: String(WEBHOOK_TIMEOUT_MS),
      WEBHOOK_CONCURRENCY: '8',
      RECONCILE_EVERY: '1m',
      // The verdict reads what became of those who were deleted.
      ERASE_AFTER: '1d',
      PORT: String(apiPort),
      LOG_LEVEL: 'info',
      // Made once: each worker that is killed would bundle again.
      WORKFLOW_BUNDLE,
    };
    await runToEnd(ENTRIES.migrate, [], { ...shared, DATABASE_URL: postgres.url });
    if (options.settings['WORKFLOW_BUNDLE'] === undefined) {
      await runToEnd('src/cli/bundle.ts', [WORKFLOW_BUNDLE], {});
    }
    for (const { name, entry } of SERVICES) {
      const databaseUrl = new URL(postgres.url);
      databaseUrl.port = String(await link(`${name}→postgres`, postgresPort));
      const temporalLink = await link(`${name}→temporal`, Number(temporal.address.split(':')[1]));
      const receiverLink = await link(`${name}→receiver`, receiverPort);
      const settings = {
        ...shared,
        DATABASE_URL: databaseUrl.href,
        TEMPORAL_ADDRESS: `127.0.0.1:${temporalLink}`,
        WEBHOOK_URL: `http://127.0.0.1:${receiverLink}/greetings`,
      };
      services.push(createPart(name, () => spawnService(name, entry, settings, logs), 'SIGTERM'));
    }
    await Promise.all(services.map((part) => part.start()));
    const parts = [...servers, ...services];
    return {
      url: `http://127.0.0.1:${apiPort}`,
      databaseUrl: postgres.url,
      temporalAddress: temporal.address,
      logs,
      parts,
      part: (name) => named(parts, name),
      links,
      link: (name) => named(links, name),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverPart(spec: ChildSpec, logs: string): Part {
  return createPart(spec.name, () => spawnServer(spec, logs), spec.stopSignal);
}

function spawnServer(spec: ChildSpec, logs: string): Started {
  const child = spec.spawn();
  const log = createWriteStream(join(logs, `${spec.name}.log`), { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const onExit = () => child.kill(spec.killSignal);
  process.once('exit', onExit);
  const ended = endOf(child).finally(() => process.off('exit', onExit));
  return {
    pid: child.pid ?? 0,
    ended,
    ready: untilReady(spec, ended),
    kill: (signal) => void child.kill(signal),
  };
}

async function untilReady(spec: ChildSpec, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  while (!(await spec.readiness?.())) {
    if (isOver) throw new Error(`${spec.name} ended`);
    await sleep(100);
  }
}

/** With IPC, by which it ends when this process does. */
function spawnService(
  name: string,
  entry: string,
  settings: NodeJS.ProcessEnv,
  logs: string,
): Started {
  const { child, line } = runProcess(entry, settings, true);
  const log = createWriteStream(join(logs, `${name}.log`), { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  return {
    pid: child.pid ?? 0,
    ended: endOf(child),
    ready: line(/"msg":"ready"/),
    kill: (signal) => void child.kill(signal),
  };
}

async function runToEnd(
  entry: string,
  args: readonly string[],
  settings: NodeJS.ProcessEnv,
): Promise<void> {
  const command = runProgram(process.execPath, [entry, ...args], { settings });
  if ((await command.exited) !== 0) throw new Error(`${entry}:\n${command.lines.join('\n')}`);
}

function named<Item extends { readonly name: string }>(items: readonly Item[], name: string): Item {
  const found = items.find((item) => item.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}
