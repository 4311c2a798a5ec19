/** Which callers an API without keys accepts: this machine, except foreign pages in its browsers. */
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/**
 * A loopback address or `localhost`, the only name that always means this machine (RFC 6761), also
 * as `localhost.`: the same name, absolute.
 */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return /^localhost\.?$/i.test(host);
  return ipaddr.process(host).range() === 'loopback';
}

/**
 * Whether a request comes from this machine, judged by what a page in a browser cannot forge: the
 * `Host` header, which is part of the URL here and which DNS rebinding does not change, and
 * `Origin`, which browsers send with every cross-origin POST.
 */
export function isFromOwnMachine(url: string, origin: string | undefined): boolean {
  return isOnLoopback(url) && (origin === undefined || isOnLoopback(origin));
}

/** `Origin` can be `null`: from a sandboxed frame, or a file. */
function isOnLoopback(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[(.+)\]$/, '$1'));
}
