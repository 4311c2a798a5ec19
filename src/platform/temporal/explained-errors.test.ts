/**
 * How failing connections are explained, with real servers that each refuse them in their own way.
 */
import { createServer, createSecureServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';

import { Connection } from '@temporalio/client';
import type { TLSConfig } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createAuthority } from '../../../test/support/certificates.ts';
import { explainErrors } from './explained-errors.ts';

const authority = createAuthority();
const stranger = createAuthority();
const tls = { serverRootCACertificate: Buffer.from(authority.cert) };
const refuses = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16' };

const servers = {
  plain: createServer(),
  secure: createSecureServer(authority.issue()),
  mutual: createSecureServer({
    ...authority.issue(),
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  }),
};
servers.secure.on('stream', (stream) =>
  stream.respond({ ...refuses, 'grpc-message': 'Request unauthorized.' }, { endStream: true }),
);
const portOf = (server: Http2Server): number => (server.address() as AddressInfo).port;
beforeAll(async () => {
  for (const server of Object.values(servers)) {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  }
});
afterAll(() => {
  for (const server of Object.values(servers)) server.close();
});

async function failureOf(address: string, tlsOptions: TLSConfig | null): Promise<string> {
  const options = { address, tls: tlsOptions };
  const connection = Connection.lazy({
    ...options,
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100 },
    interceptors: explainErrors({ ...options, namespace: 'greetings' }),
  });
  try {
    const ask = () => connection.workflowService.getSystemInfo({});
    await connection.withDeadline(Date.now() + 800, ask);
    return '';
  } catch (error) {
    return String((error as { details?: string }).details);
  } finally {
    await connection.close();
  }
}

test('a port on which nothing listens', async () => {
  expect(await failureOf('127.0.0.1:1', null)).toBe(
    'Temporal at 127.0.0.1:1 (no TLS, namespace greetings) is not available (connect ECONNREFUSED 127.0.0.1:1): check that its frontend runs there, and TEMPORAL_ADDRESS',
  );
});

test.for([
  [
    'a host that does not resolve',
    'nowhere.invalid',
    'plain',
    null,
    'resolution',
    'TEMPORAL_ADDRESS',
  ],
  ['TLS that we do not speak', 'localhost', 'secure', null, '', 'wants TLS (TEMPORAL_TLS)'],
  ['no TLS where we speak it', 'localhost', 'plain', tls, '', 'has TLS there (TEMPORAL_TLS)'],
  [
    'another authority',
    'localhost',
    'secure',
    { serverRootCACertificate: Buffer.from(stranger.cert) },
    'certificate',
    'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  ],
  [
    'another name',
    'localhost',
    'secure',
    { ...tls, serverNameOverride: 'temporal.example' },
    'temporal.example',
    'TEMPORAL_TLS_SERVER_NAME',
  ],
  ['no certificate of ours', 'localhost', 'mutual', tls, 'alert', 'TEMPORAL_TLS_CLIENT_CERT_PATH'],
  ['a wrong API key', 'localhost', 'secure', tls, 'Request unauthorized.', 'TEMPORAL_API_KEY'],
] as const)('%s', async ([_name, host, server, options, reason, advice]) => {
  const address = `${host}:${portOf(servers[server])}`;
  const said = await failureOf(address, options);
  const how = options === null ? 'no TLS' : 'TLS';
  expect(said).toMatch(`Temporal at ${address} (${how}, namespace greetings) `);
  expect(said).toContain(reason);
  expect(said).toContain(advice);
  expect(said).not.toMatch(/\n|Resolution note/);
});
