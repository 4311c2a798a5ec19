import { describe, expect, it } from 'vitest';

import { isPublicAddress } from './public-address.ts';

describe('an address of the public internet', () => {
  it.each([
    '1.1.1.1',
    '93.184.216.34',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80b::200e',
  ])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['unspecified', ['0.0.0.0', '0.1.2.3', '::', '::%1']],
    ['loopback', ['127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1']],
    ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.255.255']],
    ['unique local', ['fc00::1', 'fdff:ffff::1']],
    ['link-local', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1']],
    ['of a carrier-grade NAT', ['100.64.0.0', '100.127.255.255']],
    ['multicast', ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1']],
    ['broadcast', ['255.255.255.255']],
    ['for documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1']],
    ['for benchmarks', ['198.18.0.1', '198.19.255.255', '2001:2::1']],
    ['reserved', ['192.0.0.1', '192.88.99.1', '240.0.0.1', '254.255.255.255', '100::1']],
    ['not allocated', ['1::1', '4000::1', 'e000::1', '5f00::1', '64:ff9b:0:1::808:808']],
    [
      'of metadata services',
      ['169.254.169.254', 'fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '192.0.0.192'],
    ],
    ['of the host of a virtual machine', ['168.63.129.16', '::ffff:168.63.129.16']],
  ])('is not %s: %j', (_, addresses) => {
    for (const address of addresses) expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    ['IPv4-mapped', '::ffff:1.1.1.1', '::ffff:127.0.0.1'],
    ['IPv4-mapped, in hex', '::ffff:101:101', '::ffff:a9fe:a9fe'],
    ['IPv4-compatible', '::1.1.1.1', '::10.0.0.1'],
    ['IPv4-translated', '::ffff:0:1.1.1.1', '::ffff:0:192.168.0.1'],
    ['NAT64', '64:ff9b::1.1.1.1', '64:ff9b::169.254.169.254'],
    ['6to4', '2002:101:101::1', '2002:7f00:1::1'],
    // The server 65.54.227.120, the client 1.1.1.1 or 10.0.0.1, inverted.
    ['Teredo, its client', '2001:0:4136:e378::fefe:fefe', '2001:0:4136:e378::f5ff:fffe'],
    ['Teredo, its server', '2001:0:4136:e378::fefe:fefe', '2001:0:a00:1::fefe:fefe'],
  ])('%s is judged by the IPv4 address in it', (_, open, closed) => {
    expect(isPublicAddress(open)).toBe(true);
    expect(isPublicAddress(closed)).toBe(false);
  });

  it.each([
    ['public by all readings', '64:ff9b:1:808:8:808:808:808'],
    ['public by the reading of a /96', '64:ff9b:1:fffe::8.8.8.8'],
    ['loopback by the reading of a /48', '64:ff9b:1:7f00:0:100:808:808'],
  ])('cannot be judged behind a translator of a local network: %s', (_, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['', 'localhost', '127.1', '1.1.1', '1.1.1.1 ', '[::1]', '1.1.1.1:80', '0x7f000001'])(
    'is not %j, which is no address',
    (text) => {
      expect(isPublicAddress(text)).toBe(false);
    },
  );
});
