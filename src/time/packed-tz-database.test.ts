import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { bundledTzDataPath } from '../platform/load-tz-database.ts';
import { createPackedTzDatabase, UnusableTzDataError } from './packed-tz-database.ts';

const whole = JSON.parse(readFileSync(bundledTzDataPath(), 'utf8'));

describe('the bundled tz data', () => {
  const { version, zones } = createPackedTzDatabase(whole);

  it('is the whole tz database of one version, links included', () => {
    expect(version).toMatch(/^20\d\d[a-z]$/);
    expect(zones.size).toBeGreaterThanOrEqual(597);
    expect(zones.get('Asia/Calcutta')).toBe(zones.get('Asia/Kolkata'));
  });

  it('is exact to the second', () => {
    // On 18 November 1883 at noon of the meridian, local mean time of New York ended.
    const { changesAt, offsets } = zones.get('America/New_York') ?? { changesAt: [], offsets: [] };
    expect(changesAt[0]).toBe(Date.UTC(1883, 10, 18, 17));
    expect(offsets[0]).toBe(-(4 * 3600 + 56 * 60 + 2) * 1000);
    expect(offsets[1]).toBe(-5 * 3_600_000);
  });

  it('has nothing but 0 for UTC', () => {
    const { changesAt, offsets } = zones.get('UTC') ?? { changesAt: [0], offsets: [] };
    expect(changesAt).toHaveLength(0);
    expect([...offsets]).toEqual([0]);
  });
});

describe('invalid tz data', () => {
  const small = edition('-3kLtv 64UFv');
  const zone = (text: string) => ({ ...small, zones: [...small.zones, text] });

  it.each([
    ['of something else', [1, 2], /^not the packed data of moment-timezone: it: .*expected object/],
    ['without a version', { ...small, version: undefined }, /: version: .*expected string/],
    [
      'of a version of another kind',
      { ...small, version: '0.6.6' },
      /: version: .* such as 2026f$/,
    ],
    ['without zones', { ...small, zones: 7 }, /: zones: .*expected array/],
    ['with a zone that is no text', { ...small, zones: [7] }, /: zones\.0: .*expected string/],
    ['with a link to nowhere', { ...small, links: ['A/B|C/D'] }, /^links: A\/B\|C\/D leads to no/],
    ['with a link to nothing', { ...small, links: ['A/B'] }, /: links\.0: must be two names/],
    ['with a zone without a name', zone('|LMT|0|0||'), /^zones: \|LMT.* cannot be unpacked/],
    ['with too few offsets', zone('A/B|LMT|0|01|-1||'), /^zones: A\/B.* cannot be unpacked/],
    ['with too few changes', zone('A/B|LMT X|0 1|010|-1|'), /cannot be unpacked/],
    ['with a change back in time', zone('A/B|LMT X|0 1|010|2 -1|'), /cannot be unpacked/],
    ['with an offset of a day', zone('A/B|LMT|o0|0||'), /cannot be unpacked/],
    ['with digits that are none', zone('A/B|LMT X|0 !|01|1|'), /cannot be unpacked/],
    [
      'that begins in 1970',
      edition('-1 2IbE1'),
      /^it must be the whole tz database, from the 19th/,
    ],
    ['that ends in 2030', edition('-3kLtv 5LRRv'), /^it must be the whole tz database/],
    ['of countries elsewhere', { ...edition('-3kLtv 64UFv'), zones: [] }, /^it must be the whole/],
  ])('%s is refused with the rule', (_what, content, rule) => {
    const create = () => createPackedTzDatabase(content);
    expect(create).toThrow(UnusableTzDataError);
    expect(create).toThrow(rule);
  });

  it('is also data that ends in 2037 but begins in 1887', () => {
    expect(createPackedTzDatabase(edition('-3kLtv 64UFv')).zones.size).toBe(2);
  });
});

/** Of London alone, whose clocks changed at two instants. */
function edition(changes: string) {
  return {
    version: '2026f',
    zones: ['UTC|UTC|0|0||', `Europe/London|LMT GMT BST|1.f 0 -10|012|${changes}|`],
    links: [],
  };
}
