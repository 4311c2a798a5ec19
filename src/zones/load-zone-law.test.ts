import { rmSync } from 'node:fs';
import { relative } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { RECENT_ZONE, writeOlderZoneData } from '../../test/support/zone-files.ts';
import { InvalidSettingsError } from '../config/settings.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import { loadZoneLaw, newestOf } from './load-zone-law.ts';

const olderFile = writeOlderZoneData();
afterAll(() => rmSync(olderFile));

describe('ZONE_DATA', () => {
  it('"node" is the law that Node brings', () => {
    expect(loadZoneLaw('node').version).toBe(process.versions.tz);
  });

  it('"newest" is the newer one of Node and what is bundled', () => {
    const versions = [loadZoneLaw('node'), loadZoneLaw('bundled')].map(({ version }) => version);
    expect(loadZoneLaw('newest').version).toBe(versions.sort().at(-1));
  });

  it('may be a file, also an older one: what an operator says holds', () => {
    for (const path of [olderFile, relative(process.cwd(), olderFile)]) {
      const law = loadZoneLaw(path);
      expect(law.version).toBe('2026c');
      expect(law.isKnown(RECENT_ZONE)).toBe(false);
      expect(law.isKnown('Canada/Central')).toBe(true);
    }
  });

  it.each(['/nowhere/zones.json', 'package.json', 'latest'])(
    'is refused as a setting when it is %s, naming the file',
    (path) => {
      expect(() => loadZoneLaw(path)).toThrow(InvalidSettingsError);
      expect(() => loadZoneLaw(path)).toThrow(new RegExp(`ZONE_DATA: .*${path}: \\w+`));
    },
  );
});

const of = (version: string) => ({ version }) as ZoneLaw;

describe('the newest of two laws', () => {
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

  it("is Node's own when they are the same: it needs nothing of ours", () => {
    const node = of('2026f');
    expect(newestOf(node, of('2026f'))).toBe(node);
  });
});
