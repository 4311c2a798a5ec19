/** Files of zone data, like an operator's. A test that writes one removes it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bundledTzDataPath } from '../../src/platform/load-tz-database.ts';
import older from './tz-2026c.json' with { type: 'json' };

/**
 * Zones, and links to them, whose clocks were put back in November 2026 by tz 2026c, and
 * were not by 2026f. `tz-2026c.json` has what was published of them then: so tests do not
 * depend on how old the data of this Node is.
 */
export const CHANGED_ZONES: readonly string[] = [
  'America/Winnipeg',
  'America/Rainy_River',
  'Canada/Central',
  'America/Inuvik',
  'America/Havana',
  'Cuba',
];

/** In no data before 2025b. */
export const RECENT_ZONE = 'America/Coyhaique';

/** In no data yet: always seven hours ahead of UTC. */
export const FUTURE_ZONE = 'Antarctica/New_Daybell';

/** Writes older zone data, without a recent zone. Returns the path. */
export function writeOlderTzData(): string {
  const olderZones = new Map(older.zones.map((zone) => [nameOf(zone), zone]));
  return writeTzData(older.version, ({ zones, links }) => ({
    zones: zones
      .filter((zone) => nameOf(zone) !== RECENT_ZONE)
      .map((zone) => olderZones.get(nameOf(zone)) ?? zone),
    links,
  }));
}

/** Writes zone data with a zone that no other data has. Returns the path. */
export function writeNewerTzData(): string {
  return writeTzData('2099a', ({ zones, links }) => ({
    zones: [...zones, `${FUTURE_ZONE}|+07|-70|0||`],
    links: [...links, `${FUTURE_ZONE}|Antarctica/Old_Daybell`],
  }));
}

interface Content {
  readonly zones: readonly string[];
  readonly links: readonly string[];
}

function writeTzData(version: string, edit: (content: Content) => Content): string {
  const path = join(tmpdir(), `daybell-tz-${version}-${process.pid}.json`);
  writeTzDataTo(path, version, edit);
  return path;
}

/** Writes the bundled zone data, edited. */
export function writeTzDataTo(
  path: string,
  version: string,
  edit: (content: Content) => Content,
): void {
  const bundled = JSON.parse(readFileSync(bundledTzDataPath(), 'utf8')) as Content;
  writeFileSync(path, JSON.stringify({ version, ...edit(bundled) }));
}

function nameOf(zone: string): string {
  return zone.slice(0, zone.indexOf('|'));
}
