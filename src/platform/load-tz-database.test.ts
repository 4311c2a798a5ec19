import { rmSync } from 'node:fs';
import { relative } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { RECENT_ZONE, writeOlderTzData } from '../../test/support/tz-data-files.ts';
import { InvalidSettingsError } from './settings/settings.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { loadTzDatabase, newestOf } from './load-tz-database.ts';

const olderFile = writeOlderTzData();
afterAll(() => rmSync(olderFile));

describe('ZONE_DATA', () => {
  it('"node" is the tz database of Node', () => {
    expect(loadTzDatabase('node').version).toBe(process.versions.tz);
  });

  it("'newest' is the newer one of Node's and the bundled one", () => {
    const versions = [loadTzDatabase('node'), loadTzDatabase('bundled')].map(
      ({ version }) => version,
    );
    expect(loadTzDatabase('newest').version).toBe(versions.sort().at(-1));
  });

  it('may be a file, even an older one: the operator decides', () => {
    for (const path of [olderFile, relative(process.cwd(), olderFile)]) {
      const tz = loadTzDatabase(path);
      expect(tz.version).toBe('2026c');
      expect(tz.isKnown(RECENT_ZONE)).toBe(false);
      expect(tz.isKnown('Canada/Central')).toBe(true);
    }
  });

  it.each([
    ['/nowhere/zones.json', /cannot be read \(ENOENT\)/],
    ['src', /cannot be read \(EISDIR\)/],
    ['README.md', /it is not JSON/],
    ['package.json', /version: must be a version of the tz database/],
  ])('is refused as a setting if it is %s, naming the file and the rule', (path, rule) => {
    const load = () => loadTzDatabase(path);
    expect(load).toThrow(InvalidSettingsError);
    expect(load).toThrow(new RegExp(`ZONE_DATA: .*${path}: \\w+`));
    expect(load).toThrow(rule);
  });
});

const of = (version: string) => ({ version }) as TzDatabase;

describe('the newest of two tz databases', () => {
  it.each([
    ['2026c', '2026f', '2026f'],
    ['2026f', '2026c', '2026f'],
    ['2026z', '2026za', '2026za'],
    ['2026za', '2026b', '2026za'],
    ['2025b', '2026a', '2026a'],
    ['unknown', '2026a', '2026a'],
  ])('of %s and %s is %s', (one, other, newest) => {
    expect(newestOf(of(one), of(other)).version).toBe(newest);
  });

  it("is Node's own if both are the same", () => {
    const node = of('2026f');
    expect(newestOf(node, of('2026f'))).toBe(node);
  });
});
