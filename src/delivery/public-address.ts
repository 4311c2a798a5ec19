import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/**
 * Whether the address is one of the public internet: global unicast, IPv4 or IPv6, in no
 * range that the IANA registries of special-purpose addresses set aside, and of no cloud's
 * metadata service. An IPv6 address that stands for an IPv4 address is judged by that one.
 * False for what is no address.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const ip = ipaddr.parse(address);
  return ip instanceof ipaddr.IPv6 ? isPublicV6(ip) : isPublicV4(ip);
}

/** Azure's metadata, name service and health probes, on an address that is public by its range. */
const AZURE_HOST = '168.63.129.16';

function isPublicV4(ip: ipaddr.IPv4): boolean {
  return ip.range() === 'unicast' && ip.toString() !== AZURE_HOST;
}

function isPublicV6(ip: ipaddr.IPv6): boolean {
  // Known ranges are named so in the library; so are all that nobody has allocated.
  if (ip.range() === 'unicast' && ip.match(GLOBAL_UNICAST)) return true;
  const embedded = embeddedV4(ip);
  return embedded.length > 0 && embedded.every(isPublicV4);
}

/** All of IPv6 that IANA has given out for use on the internet. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = ipaddr.IPv6.parseCIDR('2000::/3');

/** Where an IPv6 address carries IPv4 addresses: from which of its 16 bytes on. */
interface Embedding {
  readonly range: [ipaddr.IPv6, number];
  readonly at: number;
  /** Teredo's clients are written with all bits inverted. */
  readonly inverted?: true;
}

/**
 * RFC 8215's prefix for translators of a local network, 64:ff9b:1::/48, is not among them:
 * where the IPv4 address stands in it depends on a prefix length that only that network
 * knows, so what reads as public here may be loopback there. It is refused.
 */
const EMBEDDINGS: readonly Embedding[] = [
  // IPv4-compatible, RFC 4291. Unspecified and loopback (:: and ::1) read as 0.0.0.0/8.
  { range: ipaddr.IPv6.parseCIDR('::/96'), at: 12 },
  // IPv4-mapped, RFC 4291: a socket connects by IPv4.
  { range: ipaddr.IPv6.parseCIDR('::ffff:0:0/96'), at: 12 },
  // IPv4-translated, RFC 2765.
  { range: ipaddr.IPv6.parseCIDR('::ffff:0:0:0/96'), at: 12 },
  // NAT64, RFC 6052: what a network without IPv4 makes of an IPv4 destination.
  { range: ipaddr.IPv6.parseCIDR('64:ff9b::/96'), at: 12 },
  // 6to4, RFC 3056.
  { range: ipaddr.IPv6.parseCIDR('2002::/16'), at: 2 },
  // Teredo, RFC 4380: its server, and its client.
  { range: ipaddr.IPv6.parseCIDR('2001::/32'), at: 4 },
  { range: ipaddr.IPv6.parseCIDR('2001::/32'), at: 12, inverted: true },
];

function embeddedV4(ip: ipaddr.IPv6): ipaddr.IPv4[] {
  const bytes = ip.toByteArray();
  return EMBEDDINGS.filter(({ range }) => ip.match(range)).map(
    ({ at, inverted }) =>
      new ipaddr.IPv4(bytes.slice(at, at + 4).map((byte) => (inverted ? byte ^ 0xff : byte))),
  );
}
