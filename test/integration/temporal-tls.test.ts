// @module-tag long
/** Daybell's processes and Temporal by mTLS and by API key, with Temporal's own settings alone. */
import { once } from 'node:events';
import { createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';

import { settingsToSend } from '../support/process-settings.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { connectTemporal } from '../../src/platform/temporal/connection.ts';
import { ADA } from '../support/api.ts';
import { createAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import { startSecureTemporal, type SecureTemporal } from './secure-temporal.ts';
import { useDevServer } from '../support/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { describeGuarantees } from '../workflows/server-guarantees.ts';

const WITHIN = { timeout: 60_000, interval: 200 };

describe('a Temporal server that requires a client certificate', () => {
  let temporal: SecureTemporal;
  let database: TestDatabase;
  let receiver: WebhookReceiver;
  let settings: NodeJS.ProcessEnv;
  const processes: TestProcess[] = [];
  const start = (name: string, environment: NodeJS.ProcessEnv) => {
    const started = runProcess(`src/${name}/main.ts`, environment);
    processes.push(started);
    return started;
  };
  // Its program is built first, if it is not in the cache.
  beforeAll(async () => {
    temporal = await startSecureTemporal();
    database = await createTestDatabase();
    receiver = await startWebhookReceiver();
    settings = {
      ...(await settingsToSend(temporal.address, receiver.url)),
      DATABASE_URL: database.url,
      PORT: String(await freePort()),
    };
  }, 30 * 60_000);
  afterAll(async () => {
    await Promise.all(processes.map((started) => started.stop()));
    await receiver.close();
    await temporal.stop();
    await database.drop();
  });

  test('is used by every process with the standard settings', { timeout: 240_000 }, async () => {
    const trusted = { ...settings, ...temporal.settings };
    const [api] = ['api', 'planning', 'worker', 'delivery'].map((name) => start(name, trusted));
    await Promise.all(processes.map((started) => started.line(/"ready"/)));
    expect(api?.child.exitCode).toBeNull();
    const created = await fetch(`http://127.0.0.1:${settings['PORT']}/v1/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ADA),
    });
    expect(created.status).toBe(201);
    const notified = 'select notified_wake_at is not null as notified from events.occasions';
    // By the scheduler, which has started the user's workflow.
    await expect
      .poll(() => database.orm.em.fork().execute(notified), WITHIN)
      .toEqual([{ notified: true }]);
    // By the worker's own client.
    const schedules = [];
    for await (const { scheduleId } of temporal.client.schedule.list()) schedules.push(scheduleId);
    expect(schedules).toContain(`${settings['TEMPORAL_TASK_QUEUE']}/housekeeping`);
  });

  test.for([
    ['without any of them', /^$/],
    ['without a certificate of its own', /SERVER_CA/],
    ['without the authority of the server', /CLIENT/],
  ] as const)(
    'refuses a process %s, which says so and waits',
    { timeout: 240_000 },
    async ([_what, names]) => {
      const given = Object.entries(temporal.settings).filter(([name]) => names.test(name));
      const worker = start('worker', { ...settings, ...Object.fromEntries(given) });
      const line = await worker.line(/waiting for Temporal at/);
      expect(JSON.parse(line).error.message).toMatch(/TEMPORAL_TLS/);
    },
  );

  describeGuarantees('the production server', () => temporal.connect());
});

// Neither the database nor Temporal is asked first: there is none.
const HALF = {
  DATABASE_URL: 'postgresql://daybell@127.0.0.1:1/daybell',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/client.pem',
  WEBHOOK_URL: 'https://receiver.example.com/',
  WEBHOOK_SECRETS: newWebhookSecret(),
};
const REFUSED = {
  code: 78,
  text: expect.stringMatching(
    /(?=[^]*TEMPORAL_TLS_CLIENT_CERT_PATH: \/nowhere\/client\.pem cannot be read)(?=[^]*needs TEMPORAL_TLS_CLIENT_KEY_PATH as well)/,
  ),
};

test.for(['src/api/main.ts', 'src/planning/main.ts', 'src/worker/main.ts'])(
  '%s refuses half a client certificate at the start, by name',
  async (entry) => {
    const started = runProcess(entry, HALF);
    onTestFinished(() => void started.stop('SIGKILL'));
    expect({ code: await started.exited, text: started.lines.join('\n') }).toEqual(REFUSED);
  },
);

test.for(['src/reconcile/command.ts', 'src/cli/worker-current.ts'])(
  'so does the command %s',
  async (entry) => {
    expect(await runHere(entry, [], HALF)).toEqual(REFUSED);
  },
);

describe('an API key', () => {
  test('is sent to the server with every call, by clients and by workers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'daybell-api-key-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const authority = createAuthority();
    await writeFile(join(directory, 'ca.pem'), authority.cert);
    const { calls, port } = await startRecorder(authority.issue());
    vi.stubEnv('TEMPORAL_CONFIG_FILE', join(directory, 'none.toml'));
    vi.stubEnv('TEMPORAL_NAMESPACE', 'greetings.a1b2c');
    vi.stubEnv('TEMPORAL_API_KEY', 'key-of-a-service-account');
    // As if it did not exist: an empty one switches nothing off.
    vi.stubEnv('TEMPORAL_TLS', '');
    vi.stubEnv('TEMPORAL_TLS_SERVER_CA_CERT_PATH', join(directory, 'ca.pem'));
    onTestFinished(() => void vi.unstubAllEnvs());

    const temporal = connectTemporal({
      TEMPORAL_ADDRESS: `localhost:${port}`,
      TEMPORAL_DEV_PORT: 0,
      TEMPORAL_TASK_QUEUE: 'daybell',
    });
    onTestFinished(() => temporal.close());
    await expect(temporal.client.workflow.getHandle('any').describe()).rejects.toThrow(
      'Failed to describe workflow',
    );
    expect(calls.map(({ path }) => path)).toContain(
      '/temporal.api.workflowservice.v1.WorkflowService/DescribeWorkflowExecution',
    );
    const byClient = calls.splice(0);
    const worker = await temporal.connectWorker();
    await worker.close();
    expect(calls.length).toBeGreaterThan(0);
    for (const { headers } of [...byClient, ...calls]) {
      expect(headers.authorization).toBe('Bearer key-of-a-service-account');
      expect(headers['temporal-namespace'] ?? 'greetings.a1b2c').toBe('greetings.a1b2c');
    }
  });
});

test.for([
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS_SERVER_NAME',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
])(
  '%s counts as unset when it is empty: a server without TLS is called without TLS',
  async (name) => {
    vi.stubEnv('TEMPORAL_CONFIG_FILE', '/nowhere/temporal.toml');
    vi.stubEnv(name, '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { address, close } = await useDevServer();
    onTestFinished(close);
    const temporal = connectTemporal({
      TEMPORAL_ADDRESS: address,
      TEMPORAL_DEV_PORT: 0,
      TEMPORAL_TASK_QUEUE: 'daybell',
    });
    onTestFinished(() => temporal.close());
    await expect(temporal.client.connection.ensureConnected()).resolves.toBeUndefined();
  },
);

interface RecordedCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** Speaks just enough gRPC to receive a call. */
async function startRecorder(certificate: { key: string; cert: string }) {
  const calls: RecordedCall[] = [];
  const server = createSecureServer(certificate);
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => void sessions.add(session));
  server.on('stream', (stream, headers) => {
    calls.push({ path: String(headers[':path']), headers });
    const answer = { ':status': 200, 'content-type': 'application/grpc' };
    if (headers[':path']?.endsWith('/GetSystemInfo')) {
      // A message with nothing in it: no connection of a worker is one without.
      stream.respond(answer, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    } else stream.respond({ ...answer, 'grpc-status': '12' }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { calls, port: (server.address() as AddressInfo).port };
}
