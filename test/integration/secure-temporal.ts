/** The production Temporal server, which talks to nobody without a certificate of its authority. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, Connection } from '@temporalio/client';

import { freePorts } from '../../dev/ports.ts';
import { prepareProductionTemporal } from '../../dev/temporal/production.ts';
import { createAuthority } from '../support/certificates.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { findProductionPrograms } from '../support/temporal.ts';

export interface SecureTemporal {
  readonly address: string;
  /** What a process has to be given, by the names of Temporal's own environment variables. */
  readonly settings: Readonly<Record<string, string>>;
  /** Trusted. */
  readonly client: Client;
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 120_000;
const DAY_SECONDS = 86_400;

export async function startSecureTemporal(): Promise<SecureTemporal> {
  const programs = await findProductionPrograms();
  const directory = await mkdtemp(join(tmpdir(), 'daybell-mtls-'));
  // Of its own: the names of its two databases are always the same.
  const postgres = await startPostgresServer();
  const authority = createAuthority();
  const write = async (name: string, content: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const ca = await write('ca.pem', authority.cert);
  const server = authority.issue();
  const serverCert = await write('server.pem', server.cert);
  const serverKey = await write('server.key', server.key);
  const client = authority.issue('daybell');
  const settings = {
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca,
    TEMPORAL_TLS_CLIENT_CERT_PATH: await write('client.pem', client.cert),
    TEMPORAL_TLS_CLIENT_KEY_PATH: await write('client.key', client.key),
  };

  const [port = 0, httpPort = 0] = await freePorts(2);
  const child = await prepareProductionTemporal({
    programs,
    dataDir: directory,
    postgresUrl: postgres.adminUrl,
    port,
    httpPort,
    // Nothing is measured here: fewer are there sooner.
    historyShards: 4,
    environment: {
      TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
      TEMPORAL_TLS_SERVER_CA_CERT: ca,
      TEMPORAL_TLS_SERVER_CERT: serverCert,
      TEMPORAL_TLS_SERVER_KEY: serverKey,
      TEMPORAL_TLS_INTERNODE_SERVER_NAME: 'localhost',
      TEMPORAL_TLS_FRONTEND_CERT: serverCert,
      TEMPORAL_TLS_FRONTEND_KEY: serverKey,
      TEMPORAL_TLS_FRONTEND_SERVER_NAME: 'localhost',
      TEMPORAL_TLS_CLIENT1_CA_CERT: ca,
    },
    onProgress: () => {},
  });
  const running = child.spawn();
  running.stdout?.resume();
  running.stderr?.resume();

  const address = `127.0.0.1:${port}`;
  const connection = Connection.lazy({
    address,
    tls: {
      serverRootCACertificate: Buffer.from(authority.cert),
      clientCertPair: { crt: Buffer.from(client.cert), key: Buffer.from(client.key) },
    },
  });
  const stop = async () => {
    await connection.close();
    await end(running);
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(connection, running);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, settings, client: new Client({ connection }), stop };
}

/** Until workflows can be listed in the namespace, which is made first. */
async function untilReady(connection: Connection, running: ChildProcess): Promise<void> {
  const namespace = 'default';
  const deadline = Date.now() + READY_LIMIT_MS;
  let last: unknown = null;
  while (running.exitCode === null && Date.now() < deadline) {
    try {
      await connection.workflowService
        .registerNamespace({
          namespace,
          workflowExecutionRetentionPeriod: { seconds: DAY_SECONDS as never },
        })
        .catch(() => {});
      await connection.workflowService.countWorkflowExecutions({ namespace });
      return;
    } catch (error) {
      last = error;
      await sleep(200);
    }
  }
  throw new Error('The production Temporal server did not start', { cause: last });
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const gone = once(running, 'exit');
  running.kill('SIGKILL');
  await gone;
}
