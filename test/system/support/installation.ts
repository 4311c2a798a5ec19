/**
 * Daybell as docs/production.md and docs/deployment.md have it: Debian's PostgreSQL by TLS behind
 * PgBouncer, Temporal's production server, the API behind HAProxy and behind nginx, and the receiver
 * behind HAProxy, which has nginx behind it.
 */
import { freePorts } from '../../../dev/ports.ts';
import { SCOPES } from '../../../src/access/api-key.ts';
import { newApiKey } from '../../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../../src/platform/settings/webhook-secrets.ts';
import { dueInstants } from '../../support/instant-zones.ts';
import type { TestProcess } from '../../support/process.ts';
import { startProductionServer } from '../../support/production-server.ts';
import { findWorkflowBundle, uniqueTaskQueue } from '../../support/temporal.ts';
import { startWebhookReceiver } from '../../support/webhook-receiver.ts';
import { startDebianDatabase } from './debian-database.ts';
import { createHttpsClient } from './https-client.ts';
import { startProxy } from './proxies.ts';
import { SERVICES, type ServiceName, type SettingsFiles, startUnit } from './units.ts';

/** Greetings a second, so that all restarts fall into the middle of the herd. */
const RATE = 20;
const ANY_METRICS_PORT = { METRICS_PORT: '0' };

export type Installation = Awaited<ReturnType<typeof startInstallation>>;

export async function startInstallation() {
  await using stack = new AsyncDisposableStack();
  const database = await startDebianDatabase();
  stack.defer(() => database.stop());
  await database.create('daybell');
  let pgbouncer = await database.startPgBouncer('daybell');
  const temporal = await startProductionServer();
  stack.defer(() => temporal.stop());
  await temporal.untilReady(temporal.isReady);
  const receiver = await startWebhookReceiver();
  stack.defer(() => receiver.close());

  const { authority, postgres } = database;
  const [api, front, nginxFront, greetings, nginxGreetings] = await freePorts(5);
  const toApi = { '127.0.0.1:3000': `127.0.0.1:${api}` };
  const nginx = await startProxy('nginx', authority, {
    'A proxy in front of the API': { ...toApi, 443: `${nginxFront}` },
    'A proxy in front of the receiver': {
      '127.0.0.1:8080': new URL(receiver.url).host,
      8443: `${nginxGreetings}`,
    },
  });
  stack.defer(() => nginx.stop());
  const haproxy = await startProxy('haproxy', authority, {
    'A proxy in front of the API': { ...toApi, 443: `${front}` },
    'A proxy in front of the receiver': {
      'server receiver1 127.0.0.1:8080 check': `server receiver1 127.0.0.1:${nginxGreetings} check ssl verify none`,
      8443: `${greetings}`,
    },
  });
  stack.defer(() => haproxy.stop());

  const { PGSSLROOTCERT: caPath = '' } = postgres.variables;
  const instants = dueInstants(caPath);
  const { key, entry } = newApiKey('operator', SCOPES);
  const common = {
    ...instants.settings,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: `https://localhost:${greetings}/greetings`,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_MAX_PER_SECOND: String(RATE),
    NODE_EXTRA_CA_CERTS: caPath,
  };
  const own = {
    api: { API_KEYS: entry, PORT: `${api}`, API_MAX_PER_SECOND: '1000', ...ANY_METRICS_PORT },
    worker: { WORKFLOW_BUNDLE: await findWorkflowBundle(), ...ANY_METRICS_PORT },
    dispatcher: ANY_METRICS_PORT,
    scheduler: ANY_METRICS_PORT,
  };
  let name = 'daybell';
  const files = (): SettingsFiles => ({
    ...own,
    settings: { ...common, DATABASE_URL: pgbouncer.url('app') },
    migrate: { DATABASE_URL: database.ownerUrl(name) },
  });
  const client = createHttpsClient(authority, key);
  stack.defer(() => client.close());
  const processes = new Map<ServiceName, TestProcess>();
  stack.defer(async () => {
    for (const running of processes.values()) await running.stop('SIGKILL');
  });

  const parts = stack.move();
  return {
    instants,
    receiver,
    database,
    /** Each of them is restarted as its unit in Debian does it. */
    restarts: {
      pgbouncer: () => pgbouncer.restart(),
      postgres: () => postgres.restart(),
      haproxy: () => haproxy.restart(),
      nginx: () => nginx.restart(),
    },
    /** In front of the API. */
    fronts: { haproxy: front ?? 0, nginx: nginxFront ?? 0 },
    send: client.send,
    async migrate(): Promise<void> {
      const migrate = startUnit('migrate', files());
      if ((await migrate.exited) !== 0) throw new Error(migrate.lines.join('\n'));
    },
    async start(): Promise<void> {
      for (const service of SERVICES) processes.set(service, startUnit(service, files()));
      await Promise.all([...processes.values()].map((running) => running.line(/"msg":"ready"/)));
    },
    log: (service: ServiceName): readonly string[] => processes.get(service)?.lines ?? [],
    /** Returns their exit codes. */
    stop: () => Promise.all([...processes.values()].map((running) => running.stop())),
    /** PgBouncer leads to another database from now on. */
    async moveTo(other: string): Promise<void> {
      name = other;
      pgbouncer = await database.startPgBouncer(other);
    },
    /** Runs commands in the operator's shell. */
    type: (commands: string, variables: Readonly<Record<string, string>> = {}) =>
      database.type(commands, {
        ...files().settings,
        API: `https://localhost:${front}`,
        API_KEY: key,
        CURL_CA_BUNDLE: caPath,
        OWNER_DATABASE_URL: database.ownerUrl('daybell'),
        NEW_OWNER_DATABASE_URL: database.ownerUrl(name),
        ...variables,
      }),
    close: () => parts.disposeAsync(),
  };
}
