import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import { urlSettingOf } from '../../platform/settings/destinations.ts';
import { InvalidSettingsError, type Settings } from '../../platform/settings/settings.ts';
import { DESTINATION_REFUSED } from '../outcome.ts';
import { isPublicAddress } from './public-address.ts';

class DestinationRefusedError extends Error {
  override readonly name = 'DestinationRefusedError';
  readonly code = DESTINATION_REFUSED;

  constructor() {
    super('The destination has an address that is not public (WEBHOOK_ALLOW_PRIVATE).');
  }
}

export interface DestinationPolicy {
  /** Whether the destination may have an address that is not public. */
  readonly allowPrivate: boolean;
  /** Resolves names; the system's resolver by default. */
  readonly lookup?: LookupFunction;
}

/**
 * Creates agents that open sockets to public addresses only, unless the policy allows others. They
 * check the address that they connect to, from the very lookup that opens the socket, so a name
 * that resolves differently a moment later gains nothing. Own agents ignore proxy variables.
 */
export function createDestinationAgents(
  options: AgentOptions,
  { allowPrivate, lookup = systemLookup }: DestinationPolicy,
): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  if (allowPrivate) {
    const open = { ...options, lookup };
    return { http: new HttpAgent(open), https: new HttpsAgent(open) };
  }
  const guarded = { ...options, lookup: guardLookup(lookup) };
  return {
    http: refuseLiterals(new HttpAgent(guarded)),
    https: refuseLiterals(new HttpsAgent(guarded)),
  };
}

/**
 * Refuses a name that has any address that is not public: order and chance decide which one a
 * socket takes, and a public name with such an address is an attack or a mistake.
 */
function guardLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, answer, family) => {
      const addresses = Array.isArray(answer) ? answer : [{ address: answer, family: family ?? 0 }];
      const [first] = addresses;
      if (error) callback(error, []);
      else if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
        callback(new DestinationRefusedError(), []);
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** A host that is an address is never looked up: it is checked where the socket is created. */
function refuseLiterals<Agent extends HttpAgent>(agent: Agent): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const host = options.host ?? '';
    if (isIP(host) === 0 || isPublicAddress(host)) return connect(options, callback);
    // The callback tells the agent that there is no socket, and the agent fails the request.
    callback?.(new DestinationRefusedError(), undefined as never);
    return undefined;
  };
  return agent;
}

/**
 * Fails the start of a process that delivers if a destination is an address that the guard
 * refuses, or localhost (RFC 6761). Other names are checked when a socket is opened.
 *
 * @throws InvalidSettingsError
 */
export function requireAllowedHost<
  Given extends Pick<Settings, 'WEBHOOK_URL' | 'WEBHOOK_ALLOW_PRIVATE' | 'DESTINATIONS'>,
>(settings: Given): Given {
  const { WEBHOOK_URL, DESTINATIONS } = settings;
  const urls = new Map([[urlSettingOf(DEFAULT_DESTINATION), WEBHOOK_URL]]);
  for (const [name, own] of DESTINATIONS) urls.set(urlSettingOf(name), own.WEBHOOK_URL);
  requireAllowedUrls(settings, urls);
  return settings;
}

/**
 * The same for URLs of these settings.
 *
 * @throws InvalidSettingsError
 */
export function requireAllowedUrls(
  { WEBHOOK_ALLOW_PRIVATE }: Pick<Settings, 'WEBHOOK_ALLOW_PRIVATE'>,
  urls: ReadonlyMap<string, string | undefined>,
): void {
  if (WEBHOOK_ALLOW_PRIVATE) return;
  const refused = [...urls].filter(([, url]) => url !== undefined && !isAllowedHost(url));
  if (refused.length === 0) return;
  throw new InvalidSettingsError(
    refused.map(
      ([setting]) =>
        `${setting}: must have a host on the public internet, unless WEBHOOK_ALLOW_PRIVATE=true`,
    ),
    ['WEBHOOK_ALLOW_PRIVATE=true'],
  );
}

function isAllowedHost(url: string): boolean {
  const host = new URL(url).hostname.replaceAll(/^\[|\]$/g, '');
  return isIP(host) === 0 ? !/(^|\.)localhost\.?$/.test(host) : isPublicAddress(host);
}
