import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { InvalidSettingsError } from '../config/settings.ts';
import type { ZoneLaw } from '../domain/zone.ts';
import { createNodeZoneLaw } from './node-zone-law.ts';
import { readPackedZoneData, TZ_VERSION, UnusableZoneDataError } from './packed-zone-data.ts';
import { createPackedZoneLaw } from './packed-zone-law.ts';

/**
 * The law that the setting ZONE_DATA names: `node`, `bundled`, the `newest` of the two, or
 * a file of packed zone data. Reads files: once, at the start.
 *
 * @throws InvalidSettingsError
 */
export function loadZoneLaw(setting: string): ZoneLaw {
  switch (setting) {
    case 'node':
      return createNodeZoneLaw();
    case 'bundled':
      return createBundledZoneLaw();
    case 'newest':
      return newestOf(createNodeZoneLaw(), createBundledZoneLaw());
    default:
      return createZoneLawOfFile(resolve(setting));
  }
}

/** The law that is published as the npm package moment-timezone. Of it only the data is used. */
export function createBundledZoneLaw(): ZoneLaw {
  return createZoneLawOfFile(bundledZoneData());
}

/** Where the data of the installed package is. */
export function bundledZoneData(): string {
  return createRequire(import.meta.url).resolve('moment-timezone/data/packed/latest.json');
}

/** Of two of the same version the first. */
export function newestOf(first: ZoneLaw, second: ZoneLaw): ZoneLaw {
  // A Node without zone data of its own has no version that could be compared.
  if (!TZ_VERSION.test(first.version)) return second;
  return second.version > first.version ? second : first;
}

function createZoneLawOfFile(path: string): ZoneLaw {
  try {
    return createPackedZoneLaw(readPackedZoneData(path));
  } catch (error) {
    if (!(error instanceof UnusableZoneDataError)) throw error;
    throw new InvalidSettingsError([`ZONE_DATA: ${path}: ${error.message}`]);
  }
}
