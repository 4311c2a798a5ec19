import { isIP } from 'node:net';

import { InvalidSettingsError, type Settings } from '../config/settings.ts';
import { isPublicAddress } from './public-address.ts';

/**
 * For what delivers: a host that the guard refuses whatever happens is a fault of the
 * settings, better found at the start than by the first greetings, which it would end.
 * Names are checked when a socket is opened.
 *
 * @throws InvalidSettingsError
 */
export function requireAllowedHost<
  Given extends Pick<Settings, 'WEBHOOK_URL' | 'WEBHOOK_ALLOW_PRIVATE'>,
>(settings: Given): Given {
  const { WEBHOOK_URL, WEBHOOK_ALLOW_PRIVATE } = settings;
  if (WEBHOOK_URL === undefined || WEBHOOK_ALLOW_PRIVATE) return settings;
  if (!isNeverPublic(new URL(WEBHOOK_URL).hostname)) return settings;
  throw new InvalidSettingsError([
    'WEBHOOK_URL: must have a host on the public internet, unless WEBHOOK_ALLOW_PRIVATE=true',
  ]);
}

/** An address that is not public, or localhost (RFC 6761). */
function isNeverPublic(hostname: string): boolean {
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return !isPublicAddress(host);
  return /(^|\.)localhost\.?$/.test(host);
}
