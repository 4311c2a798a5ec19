import { createServer } from 'node:net';

import type { Settings } from '../platform/settings/settings.ts';
import { MEASURED, type MetricsPorts } from './metrics-ports.ts';
import { StartError } from './start-error.ts';

/** Where everything listens; null for what does not run here. */
export interface Ports {
  readonly api: number;
  readonly postgres: number | null;
  readonly temporal: number | null;
  readonly temporalUi: number | null;
  readonly receiver: number | null;
  readonly metrics: MetricsPorts;
  readonly prometheus: number | null;
}

type PortSettings = Pick<
  Settings,
  | 'HOST'
  | 'PORT'
  | 'METRICS_PORT'
  | 'DATABASE_URL'
  | 'POSTGRES_DEV_PORT'
  | 'TEMPORAL_ADDRESS'
  | 'TEMPORAL_DEV_PORT'
  | 'TEMPORAL_DEV_UI_PORT'
  | 'WEBHOOK_URL'
  | 'RECEIVER_DEV_PORT'
  | 'PROMETHEUS_DEV_PORT'
>;

interface Claim {
  readonly setting: string;
  readonly host: string;
  readonly port: number;
}

/**
 * Sees that every port is free, before anything is started; names all that are not, each
 * with its setting. A setting of 0 is given a free port here, since others have to know it.
 *
 * @param withPrometheus whether one runs here
 */
export async function findPorts(settings: PortSettings, withPrometheus = false): Promise<Ports> {
  const faults: string[] = [];
  const taken = new Map<number, string>();
  const claim = async (wanted: Claim | null): Promise<number | null> => {
    if (wanted === null) return null;
    const other = wanted.port === 0 ? undefined : taken.get(wanted.port);
    if (other !== undefined) {
      faults.push(`${wanted.setting}: port ${wanted.port} is also that of ${other}`);
      return wanted.port;
    }
    const result = await listenOnce(wanted);
    if (typeof result === 'string') {
      faults.push(`${wanted.setting}: ${result}`);
      return wanted.port;
    }
    if (taken.has(result)) return claim(wanted);
    taken.set(result, wanted.setting);
    return result;
  };

  const withPostgres = settings.DATABASE_URL === undefined;
  const withTemporal = settings.TEMPORAL_ADDRESS === undefined;
  const withReceiver = settings.WEBHOOK_URL === undefined;

  // One after the other: two settings of 0 must not be given the same port.
  const api = await claim({ setting: 'PORT', host: settings.HOST, port: settings.PORT });
  const postgres = await claim(
    embedded(withPostgres, 'POSTGRES_DEV_PORT', settings.POSTGRES_DEV_PORT),
  );
  const temporal = await claim(
    embedded(withTemporal, 'TEMPORAL_DEV_PORT', settings.TEMPORAL_DEV_PORT),
  );
  const temporalUi = await claim(
    embedded(withTemporal, 'TEMPORAL_DEV_UI_PORT', settings.TEMPORAL_DEV_UI_PORT),
  );
  const receiver = await claim(
    embedded(withReceiver, 'RECEIVER_DEV_PORT', settings.RECEIVER_DEV_PORT),
  );
  const metrics = await claimMetrics(settings, claim);
  const prometheus = await claim(
    embedded(withPrometheus, 'PROMETHEUS_DEV_PORT', settings.PROMETHEUS_DEV_PORT),
  );

  if (faults.length > 0) {
    throw new StartError(
      [
        'Daybell cannot listen where its settings say:',
        ...faults.map((fault) => `  ${fault}`),
        'Stop what listens there, or choose another port with the setting named.',
      ].join('\n'),
    );
  }
  return { api: api ?? 0, postgres, temporal, temporalUi, receiver, metrics, prometheus };
}

/** One after the other from METRICS_PORT on; each any that is free when that is 0. */
async function claimMetrics(
  { HOST: host, METRICS_PORT: first }: PortSettings,
  claim: (wanted: Claim) => Promise<number | null>,
): Promise<MetricsPorts> {
  if (first === undefined) return null;
  const ports = { api: 0, worker: 0, dispatcher: 0, scheduler: 0 };
  for (const [index, name] of MEASURED.entries()) {
    const setting = index === 0 ? 'METRICS_PORT' : `METRICS_PORT + ${index} (${name})`;
    const port = first === 0 ? 0 : first + index;
    ports[name] = (await claim({ setting, host, port })) ?? 0;
  }
  return ports;
}

function embedded(runs: boolean, setting: string, port: number): Claim | null {
  return runs ? { setting, host: '127.0.0.1', port } : null;
}

/** The port, or why it cannot be had. */
function listenOnce({ host, port }: Claim): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(reason(error, host, port)));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const given = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(given));
    });
  });
}

function reason(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is taken by another program`;
    case 'EACCES':
      return `port ${port} on ${host} is not allowed to this user`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine (HOST)`;
    default:
      return `port ${port} on ${host} cannot be listened on: ${error.message}`;
  }
}
