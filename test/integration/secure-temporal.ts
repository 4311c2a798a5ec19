/** The production Temporal server, which accepts nobody without a certificate of its authority. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';

import { createAuthority } from '../support/certificates.ts';
import { startProductionServer } from '../support/production-server.ts';
import { connectTo, type TestTemporal } from '../support/temporal.ts';

export interface SecureTemporal {
  readonly address: string;
  /** The settings of a process, by the names of Temporal's own environment variables. */
  readonly settings: Readonly<Record<string, string>>;
  /** Trusted. */
  readonly client: Client;
  /** Trusted, too. */
  connect(): Promise<TestTemporal>;
  stop(): Promise<void>;
}

const DAY_SECONDS = 86_400;

export async function startSecureTemporal(): Promise<SecureTemporal> {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-mtls-'));
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

  const temporal = await startProductionServer({
    TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
    TEMPORAL_TLS_SERVER_CA_CERT: ca,
    TEMPORAL_TLS_SERVER_CERT: serverCert,
    TEMPORAL_TLS_SERVER_KEY: serverKey,
    TEMPORAL_TLS_INTERNODE_SERVER_NAME: 'localhost',
    TEMPORAL_TLS_FRONTEND_CERT: serverCert,
    TEMPORAL_TLS_FRONTEND_KEY: serverKey,
    TEMPORAL_TLS_FRONTEND_SERVER_NAME: 'localhost',
    TEMPORAL_TLS_CLIENT1_CA_CERT: ca,
  });
  const { address } = temporal;
  const tls = {
    serverRootCACertificate: Buffer.from(authority.cert),
    clientCertPair: { crt: Buffer.from(client.cert), key: Buffer.from(client.key) },
  };
  const connection = Connection.lazy({ address, tls });
  const stop = async () => {
    await connection.close();
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await temporal.untilReady(() => isReady(connection));
  } catch (error) {
    await stop();
    throw error;
  }
  const connect = () => connectTo(address, tls);
  return { address, settings, client: new Client({ connection }), connect, stop };
}

/**
 * Whether workflows can be counted in the namespace, which is created first; throws until they can.
 */
async function isReady(connection: Connection): Promise<boolean> {
  const namespace = 'default';
  await connection.workflowService
    .registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: DAY_SECONDS as never },
    })
    .catch(() => {});
  await connection.workflowService.countWorkflowExecutions({ namespace });
  return true;
}
