import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';

import type { Settings } from '../settings/settings.ts';
import { classify } from './errors.ts';
import { explainErrors } from './explained-errors.ts';
import { createPayloadCodec } from './payload-codec.ts';
import { loadStandardSettings } from './standard-settings.ts';

export type TemporalConnection = ReturnType<typeof connectTemporal>;

/** The settings of Daybell that the connection uses. */
export type TemporalSettings = Pick<
  Settings,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_DEV_PORT' | 'TEMPORAL_TASK_QUEUE' | 'TEMPORAL_PAYLOAD_KEYS'
>;

/**
 * Temporal as described by its own environment variables and profile (namespace, TLS, API key), at
 * TEMPORAL_ADDRESS, or else the profile's address, or else the embedded dev server's. The client
 * connects at its first call, and reconnects when the connection is lost: a process can start while
 * Temporal is down.
 *
 * @throws InvalidSettingsError when a certificate that they name is not usable
 */
export function connectTemporal(settings: TemporalSettings) {
  const { connectionOptions, namespace } = loadStandardSettings();
  const address =
    settings.TEMPORAL_ADDRESS ??
    connectionOptions.address ??
    `127.0.0.1:${settings.TEMPORAL_DEV_PORT}`;
  const shared = { ...connectionOptions, address };
  const connection = Connection.lazy({
    ...shared,
    channelArgs: RECONNECTING,
    interceptors: explainErrors({ ...shared, namespace }),
  });
  const dataConverter: DataConverter = {
    payloadCodecs: [createPayloadCodec(settings.TEMPORAL_PAYLOAD_KEYS)],
  };
  return {
    client: new Client({ connection, namespace, dataConverter }),
    address,
    namespace,
    taskQueue: settings.TEMPORAL_TASK_QUEUE,
    /** For a worker; the client has it already. */
    dataConverter,
    /** A connection for a worker, which the caller closes. Rejects while Temporal is down. */
    async connectWorker(): Promise<NativeConnection> {
      // The client explains more clearly than the SDK's native part why it cannot connect.
      await connection
        .withDeadline(Date.now() + CONNECT_TIMEOUT_MS, () =>
          connection.workflowService.getSystemInfo({}),
        )
        .catch((error: unknown) => {
          throw classify(error);
        });
      // The native part is large: only a process that runs a worker loads it.
      const { NativeConnection } = await import('@temporalio/worker');
      return NativeConnection.connect(shared);
    },
    /** Closes the client's connection. */
    close: () => connection.close(),
  };
}

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * By default gRPC waits up to two minutes before it retries a lost server; missed work must start
 * within seconds of the server's return.
 */
const RECONNECTING = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
};
