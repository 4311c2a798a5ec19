/** What an API without keys listens to: this machine, and nobody who comes through its browsers. */
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/** A loopback address, or `localhost`, which is never another's (RFC 6761). Other names can be. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return ipaddr.process(host).range() === 'loopback';
}

/**
 * Whether a request was made on this machine, by what a page in a browser cannot write itself. A
 * page whose name was made to lead to this machine (DNS rebinding) has its own name in the URL,
 * from the request's `Host`; one of another origin that posts, as a page may without asking
 * first when there is no body, has that origin.
 */
export function isFromOwnMachine(url: string, origin: string | undefined): boolean {
  return isOnLoopback(url) && (origin === undefined || isOnLoopback(origin));
}

/** An origin can be `null`: of a sandboxed frame, or of a file. */
function isOnLoopback(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[(.+)\]$/, '$1'));
}
