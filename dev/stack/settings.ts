import { join } from 'node:path';

import { InvalidSettingsError, type Settings } from '../../src/platform/settings/settings.ts';
import { TEMPORAL_SETTINGS } from '../temporal/production.ts';

/** From here on, one for each process: the first port of those that the OpenTelemetry exporters took. */
export const FIRST_METRICS_PORT = 9464;

/** The stack exists to run its own servers. */
const OWN_SERVERS = ['DATABASE_URL', 'TEMPORAL_ADDRESS'] as const;
/** Of Daybell's processes: one each, the migration, and as many again while they are replaced. */
const POOLS = 10;
/** Besides: the readiness check, an operator's psql. */
const SPARE_CONNECTIONS = 50;

/**
 * The settings of the production shape: everything by its own servers, all metrics on, and its
 * data apart from that of `npm start`, whose Temporal is another.
 *
 * @throws InvalidSettingsError when one asks for other servers
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

/** How many PostgreSQL takes, for this size of the processes' pools. */
export function stackConnections(pool: number): number {
  const { connections, visibilityConnections } = TEMPORAL_SETTINGS;
  return pool * POOLS + connections + visibilityConnections + SPARE_CONNECTIONS;
}
