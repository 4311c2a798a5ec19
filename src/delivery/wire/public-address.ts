import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/**
 * Whether an address belongs to the public internet: global unicast, in no range that the IANA
 * registries of special-purpose addresses reserve, and of no cloud's metadata service. An IPv6
 * address that embeds an IPv4 address is judged by that one. False for text that is not an address.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const ip = ipaddr.parse(address);
  if (ip instanceof ipaddr.IPv4) return isPublicV4(ip);
  // The library also calls unallocated addresses unicast.
  if (ip.range() === 'unicast' && ip.match(GLOBAL_UNICAST)) return true;
  const embedded = embeddedV4(ip);
  return embedded.length > 0 && embedded.every(isPublicV4);
}

/** Azure's metadata, name service and health probes, at an address in a public range. */
const AZURE_HOST = '168.63.129.16';

function isPublicV4(ip: ipaddr.IPv4): boolean {
  return ip.range() === 'unicast' && ip.toString() !== AZURE_HOST;
}

/** All of IPv6 that IANA has allocated for use on the internet. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Which of the 16 bytes of an IPv6 address are an IPv4 address. Not 64:ff9b:1::/48 (RFC 8215): only
 * the local network knows where its translator puts the IPv4 address, so it is refused.
 */
const EMBEDDINGS: readonly (readonly [cidr: string, at: number, isInverted?: boolean])[] = [
  ['::/96', 12], // IPv4-compatible (RFC 4291); unspecified and loopback read as 0.0.0.0/8
  ['::ffff:0:0/96', 12], // IPv4-mapped (RFC 4291): a socket connects by IPv4
  ['::ffff:0:0:0/96', 12], // IPv4-translated (RFC 2765)
  ['64:ff9b::/96', 12], // NAT64 (RFC 6052): how a network without IPv4 reaches an IPv4 destination
  ['2002::/16', 2], // 6to4 (RFC 3056)
  ['2001::/32', 4], // Teredo (RFC 4380): its server
  ['2001::/32', 12, true], // Teredo: its client, with all bits inverted
];

function embeddedV4(ip: ipaddr.IPv6): ipaddr.IPv4[] {
  const bytes = ip.toByteArray();
  return EMBEDDINGS.filter(([cidr]) => ip.match(ipaddr.IPv6.parseCIDR(cidr))).map(
    ([, at, isInverted]) =>
      new ipaddr.IPv4(bytes.slice(at, at + 4).map((byte) => (isInverted ? byte ^ 0xff : byte))),
  );
}
