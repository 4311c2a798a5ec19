// @module-tag long
/** The bundled zone data compared with Intl's: two routes from the same tz database. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { findDifferences } from '../../src/time/tz-differences.ts';
import { bundledTz, nodeTz } from '../support/tz-databases.ts';

const DAY = 86_400_000;
const { zones } = bundledTz;

/**
 * What the tz database has found out about the past since this Node was built. A newer Node
 * brings it; newer data may add to it.
 */
const CORRECTED = new Set(['America/Bogota', 'Asia/Tehran', 'Iran']);

describe('the bundled tz database and that of this Node', () => {
  it('know the same names', () => {
    const unknownToNode = [...zones.keys()].filter((name) => !nodeTz.isKnown(name));
    const notBundled = Intl.supportedValuesOf('timeZone').filter((name) => !zones.has(name));
    expect({ unknownToNode, notBundled }).toEqual({ unknownToNode: [], notBundled: [] });
  });

  it('agree on every change of clocks from 1970 to 2025, except for later corrections', () => {
    const disagreeing = disagreeingZones(Date.UTC(1970, 0, 1), Date.UTC(2026, 0, 1));
    expect(disagreeing.filter((name) => !CORRECTED.has(name))).toEqual([]);
  });

  it('differ, from 2026 on, in the zones that docs/time.md lists', () => {
    const period = { from: Date.UTC(2026, 0, 1), until: Date.UTC(2028, 0, 1) };
    const found = findDifferences(nodeTz, bundledTz, [...zones.keys()], period);
    const listed = zonesListedIn(readFileSync('docs/time.md', 'utf8'));
    expect([...new Set(found.map(({ timezone }) => timezone))].sort()).toEqual(listed);
  });

  it('agree, if they do so for these two years, until 2037 and, extrapolated, until 2100', () => {
    const differing = new Set(zonesListedIn(readFileSync('docs/time.md', 'utf8')));
    const disagreeing = disagreeingZones(Date.UTC(2026, 0, 1), Date.UTC(2100, 0, 1));
    // Their summer time ends around Ramadan, as far as the tz database predicts it: not by
    // weekdays.
    const foretold = ['Asia/Gaza', 'Asia/Hebron'];
    expect(disagreeing.filter((name) => !differing.has(name))).toEqual(foretold);
    expect(disagreeingZones(Date.UTC(2028, 0, 1), Date.UTC(2038, 0, 1))).not.toContain('Asia/Gaza');
  });
});

/**
 * Looks just before and at every bundled change, and every 20 days for changes that are only
 * Node's; in what has the clocks of another name, every 200 days.
 */
function disagreeingZones(from: number, until: number): string[] {
  const seen = new Set<unknown>();
  return [...zones].flatMap(([name, zone]) => {
    const isLink = seen.has(zone);
    seen.add(zone);
    const changes = isLink ? [] : [...zone.changesAt].filter((at) => at > from && at < until);
    const instants = changes.flatMap((at) => [at - 1, at]);
    const step = isLink ? 200 * DAY : 20 * DAY;
    for (let at = from; at < until; at += step) instants.push(at);
    const agree = (at: number) => bundledTz.offsetAt(name, at) === nodeTz.offsetAt(name, at);
    return instants.every(agree) ? [] : [name];
  });
}

/** The first column of the table that `npm run zones` prints. */
function zonesListedIn(markdown: string): string[] {
  const [, table = ''] = /\| zone +\| from[^\n]*\n((?:\|[^\n]*\n)+)/.exec(markdown) ?? [];
  const names = [...table.matchAll(/^\| ([A-Z][\w/-]*)/gm)].map(([, name = '']) => name);
  return [...new Set(names)].sort();
}
