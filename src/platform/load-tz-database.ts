import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { errorCode } from './errors.ts';
import { InvalidSettingsError } from './settings/settings.ts';
import { createNodeTzDatabase } from '../time/node-tz-database.ts';
import {
  createPackedTzDatabase,
  type PackedTzDatabase,
  TZ_VERSION,
  UnusableTzDataError,
} from '../time/packed-tz-database.ts';
import type { TzDatabase } from '../time/tz-database.ts';

/**
 * The tz database that the setting ZONE_DATA names: `node`, `bundled`, the `newest` of the two, or
 * a file of packed data. Reads files: once, at the start.
 *
 * @throws InvalidSettingsError
 */
export function loadTzDatabase(setting: string): TzDatabase {
  switch (setting) {
    case 'node':
      return createNodeTzDatabase();
    case 'bundled':
      return loadBundledTzDatabase();
    case 'newest':
      return newestOf(createNodeTzDatabase(), loadBundledTzDatabase());
    default:
      return readTzDatabase(resolve(setting));
  }
}

/** The data of the npm package moment-timezone; its code is never loaded. */
export function loadBundledTzDatabase(): PackedTzDatabase {
  return readTzDatabase(bundledTzDataPath());
}

export function bundledTzDataPath(): string {
  return createRequire(import.meta.url).resolve('moment-timezone/data/packed/latest.json');
}

/** If both have the same version, the first. */
export function newestOf(first: TzDatabase, second: TzDatabase): TzDatabase {
  // A Node without tz data of its own has no version that could be compared.
  if (!TZ_VERSION.test(first.version)) return second;
  return second.version > first.version ? second : first;
}

function readTzDatabase(path: string): PackedTzDatabase {
  try {
    return createPackedTzDatabase(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new InvalidSettingsError([`ZONE_DATA: ${path}: ${faultOf(error)}`]);
  }
}

function faultOf(error: unknown): string {
  if (error instanceof UnusableTzDataError) return error.message;
  return error instanceof SyntaxError
    ? 'it is not JSON'
    : `it cannot be read (${errorCode(error)})`;
}
