import { isLoopback } from '../access/own-machine.ts';
import { InvalidSettingsError, type Settings } from './settings.ts';

/**
 * For what serves the API: whoever reaches it may do everything when there are no keys, so then
 * only this machine may reach it.
 *
 * @throws InvalidSettingsError
 */
export function requireKeysBeyondLoopback<Given extends Pick<Settings, 'HOST' | 'API_KEYS'>>(
  settings: Given,
): Given {
  if (settings.API_KEYS !== undefined || isLoopback(settings.HOST)) return settings;
  throw new InvalidSettingsError([
    'HOST: must be a loopback address such as 127.0.0.1, unless API_KEYS is set; npm run key:new makes a key',
  ]);
}
