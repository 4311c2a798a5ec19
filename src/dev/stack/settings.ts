import { join } from 'node:path';

import { InvalidSettingsError, type Settings } from '../../platform/settings/settings.ts';

/** From here on, one for each process: the first port of those that the OpenTelemetry exporters took. */
export const FIRST_METRICS_PORT = 9464;

/** Its servers are its own: that is the point of it. */
const OWN_SERVERS = ['DATABASE_URL', 'TEMPORAL_ADDRESS'] as const;

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
