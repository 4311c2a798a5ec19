import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import { DESTINATION_REFUSED } from './outcome.ts';
import { isPublicAddress } from './public-address.ts';

/** Thrown when the destination has an address that is not of the public internet. */
export class DestinationRefusedError extends Error {
  override readonly name = 'DestinationRefusedError';
  readonly code = DESTINATION_REFUSED;

  constructor() {
    super('The destination has an address that is not public (WEBHOOK_ALLOW_PRIVATE).');
  }
}

export interface DestinationAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

export interface DestinationPolicy {
  /** Whether the destination may have an address that is not of the public internet. */
  readonly allowPrivate: boolean;
  /** Resolves names; the system's resolver when not given. */
  readonly lookup?: LookupFunction;
}

/**
 * Agents that, unless the policy allows others, open sockets to public addresses only. What
 * is checked is what is connected to: the very answer of the lookup, in the call that opens
 * the socket, so that a name which answers otherwise a moment later gains nothing. A socket
 * that is kept open was checked when it was opened. Proxy variables do not lead around it:
 * agents of one's own take no notice of them.
 */
export function createDestinationAgents(
  options: AgentOptions,
  { allowPrivate, lookup = systemLookup }: DestinationPolicy,
): DestinationAgents {
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
 * One address that is not public refuses them all: which of them a socket takes is decided
 * by order and by chance, and a public name with such an address is an attack or a mistake.
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

/** A host that is an address is never looked up: it is checked where the socket is made. */
function refuseLiterals<Agent extends HttpAgent>(agent: Agent): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const host = options.host ?? '';
    if (isIP(host) === 0 || isPublicAddress(host)) return connect(options, callback);
    // By the callback: that is how an agent learns that there is no socket, and tells the request.
    callback?.(new DestinationRefusedError(), undefined as never);
    return undefined;
  };
  return agent;
}
