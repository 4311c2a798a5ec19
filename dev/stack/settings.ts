import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { InvalidSettingsError, type Settings } from '../../src/platform/settings/settings.ts';
import { StartError } from '../start-error.ts';
import { temporalConnections } from '../temporal/production.ts';

/** One port for each process from here on: the first that the OpenTelemetry exporters reserved. */
export const FIRST_METRICS_PORT = 9464;

/** The stack exists to run its own servers. */
const OWN_SERVERS = ['DATABASE_URL', 'TEMPORAL_ADDRESS'] as const;
/**
 * Pools of Daybell's processes: one each, the migration, and as many again during a replacement.
 */
const POOLS = 10;
/** In addition: the readiness check, an operator's psql. */
const SPARE_CONNECTIONS = 50;
const NODES = 'temporal-nodes';
/** Processes of each service: more of them on one machine show nothing new. */
const MOST_NODES = 5;

/**
 * The settings of the production shape: everything on its own servers, all metrics on, and its data
 * separate from that of `npm start`, which has another Temporal.
 *
 * @throws InvalidSettingsError if a setting asks for other servers
 */
export function stackSettings(given: Settings): Settings {
  const faults = OWN_SERVERS.filter((name) => given[name] !== undefined).map(
    (name) => `${name}: must not be set for npm run stack, which starts servers of its own`,
  );
  if (faults.length > 0) throw new InvalidSettingsError(faults);
  return {
    ...given,
    DATA_DIR: join(given.DATA_DIR, 'stack'),
    METRICS_PORT: given.METRICS_PORT ?? FIRST_METRICS_PORT,
  };
}

/** How many connections PostgreSQL accepts, for this size of the processes' pools. */
export function stackConnections(pool: number, temporalNodes = 1): number {
  return pool * POOLS + temporalConnections(temporalNodes) + SPARE_CONNECTIONS;
}

/**
 * `--temporal-nodes N`: 1 for all of Temporal's services in one process, or a cluster.
 *
 * @throws StartError for any other argument
 */
export function readTemporalNodes(args: readonly string[]): number {
  const options = { [NODES]: { type: 'string', default: '1' } } as const;
  try {
    const { [NODES]: value } = parseArgs({ args: [...args], options }).values;
    const count = Number(value);
    if (Number.isInteger(count) && count >= 1 && count <= MOST_NODES) return count;
    throw new Error(`--${NODES}: must be a whole number from 1 to ${MOST_NODES}, not "${value}"`);
  } catch (error) {
    throw new StartError((error as Error).message, 78);
  }
}
