import { randomInt } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';

import type { Settings } from '../src/platform/settings/settings.ts';
import { StartError } from './start-error.ts';

/** The processes that serve /metrics on a port of their own, in the order of METRICS_PORT, +1, …. */
export const MEASURED = ['api', 'worker', 'dispatcher', 'scheduler'] as const;

export type MeasuredProcess = (typeof MEASURED)[number];
type MetricsPorts = Readonly<Record<MeasuredProcess, number>> | null;

/** Where everything listens; null for servers that do not run here. */
export interface Ports {
  readonly api: number;
  readonly postgres: number | null;
  readonly temporal: number | null;
  readonly temporalUi: number | null;
  readonly receiver: number | null;
  /** The port of each process; null if the API serves its metrics beside the API. */
  readonly metrics: MetricsPorts;
  readonly prometheus: number | null;
}

/**
 * The highest port that the production Temporal server can have: its own table of members keeps
 * ports in a signed 16-bit column. Systems assign higher ones if any port will do.
 */
export const HIGHEST_PORT = 32_767;
const LOWEST_PORT = 10_000;
const LOOPBACK = '127.0.0.1';

/**
 * Checks that every port is free before anything is started. A setting of 0 is resolved to a free
 * port here, since others have to know it.
 *
 * @throws StartError that names all ports that are not free, each with its setting
 */
export async function findPorts(settings: Settings, withPrometheus = false): Promise<Ports> {
  const faults: string[] = [];
  const taken = new Map<number, string>();
  const take = async (setting: string, wanted: number, host = LOOPBACK): Promise<number> => {
    const other = taken.get(wanted);
    const port =
      other === undefined
        ? await listenOnce(host, wanted)
        : `port ${wanted} is also that of ${other}`;
    if (typeof port === 'string') {
      faults.push(`${setting}: ${port}`);
      return wanted;
    }
    // The system may return a port twice: nothing listens on it yet.
    if (taken.has(port)) return take(setting, wanted, host);
    taken.set(port, setting);
    return port;
  };

  const { HOST, DATABASE_URL, TEMPORAL_ADDRESS, WEBHOOK_URL, METRICS_PORT: first } = settings;
  const takeEmbedded = async (setting: keyof Settings & `${string}_PORT`, isEmbedded: boolean) =>
    isEmbedded ? take(setting, Number(settings[setting])) : null;
  const takeForMetrics = async (port: number): Promise<MetricsPorts> => {
    const ports = { api: 0, worker: 0, dispatcher: 0, scheduler: 0 };
    for (const [index, name] of MEASURED.entries()) {
      const setting = index === 0 ? 'METRICS_PORT' : `METRICS_PORT + ${index} (${name})`;
      ports[name] = await take(setting, port === 0 ? 0 : port + index, HOST);
    }
    return ports;
  };
  const ports = {
    api: await take('PORT', settings.PORT, HOST),
    postgres: await takeEmbedded('POSTGRES_DEV_PORT', DATABASE_URL === undefined),
    temporal: await takeEmbedded('TEMPORAL_DEV_PORT', TEMPORAL_ADDRESS === undefined),
    temporalUi: await takeEmbedded('TEMPORAL_DEV_UI_PORT', TEMPORAL_ADDRESS === undefined),
    receiver: await takeEmbedded('RECEIVER_DEV_PORT', WEBHOOK_URL === undefined),
    metrics: first === undefined ? null : await takeForMetrics(first),
    prometheus: await takeEmbedded('PROMETHEUS_DEV_PORT', withPrometheus),
  };
  if (faults.length === 0) return ports;
  throw new StartError(
    [
      'Daybell cannot listen where its settings say:',
      ...faults.map((fault) => `  ${fault}`),
      'Stop what listens there, or choose another port with the setting named.',
    ].join('\n'),
  );
}

/** The environment of one process: its own METRICS_PORT instead of the first. */
export function withMetricsPort(
  environment: NodeJS.ProcessEnv,
  name: string,
  metrics: MetricsPorts,
): NodeJS.ProcessEnv {
  const port = metrics?.[name as MeasuredProcess];
  return port === undefined ? environment : { ...environment, METRICS_PORT: String(port) };
}

/** This many different ports of this machine on which nothing listens at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if ((await listenOnce(LOOPBACK, port)) === port) found.add(port);
  }
  return [...found];
}

/** The port, a free one for 0, or the reason why it cannot be listened on. */
function listenOnce(host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EADDRINUSE') resolve(`port ${port} on ${host} is taken by another program`);
      else if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
        resolve(`${host} is not an address of this machine (HOST)`);
      } else resolve(message);
    });
    server.listen({ host, port, exclusive: true }, () => {
      const { port: given } = server.address() as AddressInfo;
      server.close(() => resolve(given));
    });
  });
}
