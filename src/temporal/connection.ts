import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';

import { readMachine } from '../config/machine.ts';
import { InvalidSettingsError, type Settings } from '../config/settings.ts';
import { createPayloadCodec } from './payload-codec.ts';

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
  /** How what Temporal is given is written: the client's, and for a worker. */
  readonly dataConverter: DataConverter;
  /** A connection for a worker; rejects while Temporal is away. The caller closes it. */
  connectWorker(): Promise<NativeConnection>;
  /** Closes the client's connection. */
  close(): Promise<void>;
}

/** What the connection takes from Daybell's own settings. */
export type TemporalSettings = Pick<
  Settings,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_DEV_PORT' | 'TEMPORAL_TASK_QUEUE' | 'TEMPORAL_PAYLOAD_KEYS'
>;

/**
 * Temporal as its own environment variables and profile describe it (namespace, TLS,
 * API key), at TEMPORAL_ADDRESS, or else the profile's address, or else the embedded
 * dev server's.
 *
 * @throws InvalidSettingsError when a file that they name cannot be read
 */
export function connectTemporal(settings: TemporalSettings): TemporalConnection {
  const { connectionOptions, namespace = 'default' } = loadStandardSettings();
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
  const dataConverter = { payloadCodecs: [createPayloadCodec(settings.TEMPORAL_PAYLOAD_KEYS)] };
  return {
    client: new Client({ connection, namespace, dataConverter }),
    address,
    namespace,
    taskQueue: settings.TEMPORAL_TASK_QUEUE,
    dataConverter,
    async connectWorker() {
      // The worker's native part is large: only a process that runs a worker loads it.
      const { NativeConnection } = await import('@temporalio/worker');
      return NativeConnection.connect(shared).catch((error: unknown) => {
        throw explained(error, shared);
      });
    },
    close: () => connection.close(),
  };
}

/** An address at which nobody answers. */
const NOBODY = /refused|dns|lookup|unreachable|timed out|deadline/i;

/** What else goes wrong at connecting is how, as a rule: a server does not say much of that. */
function explained(error: unknown, { tls, apiKey }: NativeConnectionOptions): unknown {
  if (!(error instanceof Error) || NOBODY.test(error.message)) return error;
  const how = `TLS is ${tls ? 'on' : 'off'}, and an API key is ${apiKey === undefined ? 'not ' : ''}given`;
  const hint = `${how}; where the server wants it otherwise, TEMPORAL_TLS, TEMPORAL_TLS_… and TEMPORAL_API_KEY set it`;
  return new Error(`${error.message} (${hint})`, { cause: error });
}

/** Files of certificates are read here: what is wrong with them is known before anything is begun. */
function loadStandardSettings(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig({ overrideEnvVars: givenVariables(readMachine().environment) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidSettingsError([`Temporal's own settings (TEMPORAL_…): ${why}`]);
  }
}

/** Their SDK has it that an empty one removes this header of the profile. */
const HEADER = 'TEMPORAL_GRPC_META_';

/**
 * Without empty variables, which count as unset here as everywhere: to the SDK an empty API key
 * is one, and switches TLS on.
 */
function givenVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => Boolean(entry[1]) || entry[0].startsWith(HEADER),
    ),
  );
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
