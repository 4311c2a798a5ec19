import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';

import { readMachine } from '../settings/machine.ts';
import { InvalidSettingsError, type Settings } from '../settings/settings.ts';
import { createPayloadCodec } from './payload-codec.ts';

export type TemporalConnection = ReturnType<typeof connectTemporal>;

/** What the connection takes from Daybell's own settings. */
export type TemporalSettings = Pick<
  Settings,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_DEV_PORT' | 'TEMPORAL_TASK_QUEUE' | 'TEMPORAL_PAYLOAD_KEYS'
>;

/**
 * Temporal as its own environment variables and profile describe it (namespace, TLS, API key), at
 * TEMPORAL_ADDRESS, or else the profile's address, or else the embedded dev server's. The client
 * connects at its first call, and again when the connection is lost: a process can start while
 * Temporal is away.
 *
 * @throws InvalidSettingsError when a file that they name cannot be read
 */
export function connectTemporal(settings: TemporalSettings) {
  const { connectionOptions, namespace = 'default' } = loadStandardSettings();
  const address =
    settings.TEMPORAL_ADDRESS ??
    connectionOptions.address ??
    `127.0.0.1:${settings.TEMPORAL_DEV_PORT}`;
  const shared = { ...connectionOptions, address };
  const connection = Connection.lazy({ ...shared, channelArgs: RECONNECTING });
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
    /** A connection for a worker, which the caller closes. Rejects while Temporal is away. */
    async connectWorker(): Promise<NativeConnection> {
      // The SDK's native part is large: only a process that runs a worker loads it.
      const { NativeConnection } = await import('@temporalio/worker');
      return NativeConnection.connect(shared).catch((error: unknown) => {
        throw explained(error, shared);
      });
    },
    /** Closes the client's connection. */
    close: () => connection.close(),
  };
}

const UNREACHABLE = /refused|dns|lookup|unreachable|timed out|deadline/i;

/** If the server answers, the cause is usually TLS or the API key, about which its error says little. */
function explained(error: unknown, { tls, apiKey }: NativeConnectionOptions): unknown {
  if (!(error instanceof Error) || UNREACHABLE.test(error.message)) return error;
  const how = `TLS is ${tls ? 'on' : 'off'}, and an API key is ${apiKey === undefined ? 'not ' : ''}given`;
  const hint = `${how}; if the server expects otherwise, set TEMPORAL_TLS, TEMPORAL_TLS_… or TEMPORAL_API_KEY`;
  return new Error(`${error.message} (${hint})`, { cause: error });
}

/** Certificates are read here: what is wrong with them is known before anything is begun. */
function loadStandardSettings(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig({ overrideEnvVars: givenVariables(readMachine().environment) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidSettingsError([`Temporal's own settings (TEMPORAL_…): ${why}`]);
  }
}

/** To the SDK, an empty one removes this header of the profile. */
const HEADER = 'TEMPORAL_GRPC_META_';

/** Without empty variables, which count as unset: to the SDK an empty API key is one, and switches TLS on. */
function givenVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => Boolean(entry[1]) || entry[0].startsWith(HEADER),
    ),
  );
}

/**
 * By default gRPC waits up to two minutes before it tries a lost server again; what was missed has
 * to be under way within seconds of the server's return.
 */
const RECONNECTING = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
};
