import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection } from '@temporalio/worker';

import type { Settings } from '../config/settings.ts';

export interface TemporalConnection {
  /**
   * For signals, queries and completions. Nothing is connected before the first call,
   * and a lost connection is made again, so that a process can start while Temporal is away.
   */
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  /** The installation's own. */
  readonly taskQueue: string;
  /** A connection for a worker; rejects while Temporal is away. The caller closes it. */
  connectWorker(): Promise<NativeConnection>;
  /** Closes the client's connection. */
  close(): Promise<void>;
}

/** What the connection takes from Daybell's own settings. */
export type TemporalSettings = Pick<
  Settings,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_DEV_PORT' | 'TEMPORAL_TASK_QUEUE'
>;

/**
 * Temporal as its own environment variables and profile describe it (namespace, TLS,
 * API key), at TEMPORAL_ADDRESS, or else the profile's address, or else the embedded
 * dev server's.
 */
export function connectTemporal(settings: TemporalSettings): TemporalConnection {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address =
    settings.TEMPORAL_ADDRESS ??
    connectionOptions.address ??
    `127.0.0.1:${settings.TEMPORAL_DEV_PORT}`;
  const { apiKey, tls, metadata } = connectionOptions;
  const shared = {
    address,
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined && { tls }),
    ...(metadata !== undefined && { metadata }),
  };
  const connection = Connection.lazy({ ...shared, channelArgs: RECONNECTING });
  return {
    client: new Client({ connection, namespace }),
    address,
    namespace,
    taskQueue: settings.TEMPORAL_TASK_QUEUE,
    async connectWorker() {
      // The worker's native part is large: only a process that runs a worker loads it.
      const { NativeConnection } = await import('@temporalio/worker');
      return NativeConnection.connect(shared);
    },
    close: () => connection.close(),
  };
}

/**
 * gRPC waits up to two minutes before it tries a lost server again; what was missed
 * has to be under way within seconds of the server's return.
 */
const RECONNECTING = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
};
