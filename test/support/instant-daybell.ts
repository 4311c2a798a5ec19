/** A Daybell in the test's process that has an instant every 20 seconds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';
import { type DaybellOptions, startDaybell, type TestDaybell } from './daybell.ts';
import { dueInstants, type DueInstants } from './instant-zones.ts';

export interface InstantDaybell extends TestDaybell {
  readonly instants: DueInstants;
  readonly tz: TzDatabase;
}

export async function startInstantDaybell(
  options: Omit<DaybellOptions, 'tz' | 'localTime'>,
): Promise<InstantDaybell> {
  const directory = await mkdtemp(join(tmpdir(), 'daybell-instants-'));
  try {
    const instants = dueInstants(join(directory, 'data'));
    const { ZONE_DATA, DELIVERY_LOCAL_TIME } = instants.settings;
    const tz = loadTzDatabase(ZONE_DATA);
    const daybell = await startDaybell({ ...options, tz, localTime: DELIVERY_LOCAL_TIME });
    return { ...daybell, instants, tz };
  } finally {
    await rm(directory, { recursive: true });
  }
}
