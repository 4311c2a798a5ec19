/** Loads users like a client of Daybell: always with the outbox row. */
import pLimit from 'p-limit';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { createUsers } from '../../src/users/users.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { createApiClient } from './api-client.ts';

export interface LoadOptions {
  readonly users: number;
  /** Returns the date of birth of a user, by number. */
  readonly dateOfBirth: (index: number) => string;
  /** UTC by default. */
  readonly timezone?: (index: number) => string;
  /** HH:MM; the installation's by default. */
  readonly deliveryTime?: (index: number) => string | null;
  readonly onLoaded: (count: number) => void;
}

/** Concurrent requests: enough to keep the API's pool and a core busy. */
const CONCURRENCY = 16;

/** With POST /v1/users. */
export async function loadByApi(apiUrl: string, options: LoadOptions): Promise<void> {
  const client = createApiClient(apiUrl, CONCURRENCY);
  await loadAll(options, async (input) => {
    const { status, body } = await client.send('POST', '/v1/users', input);
    if (status !== 201) throw new Error(`POST /v1/users answered ${status}: ${body}`);
  });
  client.close();
}

/**
 * With the User Context itself, in this process: the same operation and the same transaction with
 * the outbox as in the API, without HTTP. For loading 100,000.
 */
export async function loadByStore(databaseUrl: string, options: LoadOptions): Promise<void> {
  const orm = await connectOrm(databaseUrl, { poolSize: CONCURRENCY });
  const users = createUsers(orm, { clock: Date.now, tz: loadTzDatabase('newest') });
  await loadAll(options, async (input) => {
    await users.create({ externalId: null, ...input });
  });
  await orm.close(true);
}

/**
 * Birthdays over the whole year except the next weeks, for users who must not be due while a bench
 * runs.
 */
export function distantBirthday(index: number, now = Date.now()): string {
  const date = new Date(now + (30 + (index % 300)) * DAY_MS);
  // 1992: a leap year, so that every day of the year exists.
  return `1992${date.toISOString().slice(4, 10)}`;
}

const DAY_MS = 86_400_000;

interface LoadedUser {
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly deliveryTime: string | null;
}

async function loadAll(
  { users, dateOfBirth, timezone = () => 'UTC', deliveryTime = () => null, onLoaded }: LoadOptions,
  load: (user: LoadedUser) => Promise<void>,
): Promise<void> {
  const indexes = Array.from({ length: users }, (_, index) => index);
  let loaded = 0;
  await pLimit(CONCURRENCY).map(indexes, async (index) => {
    const name = { firstName: 'Herd', lastName: String(index + 1) };
    await load({
      ...name,
      dateOfBirth: dateOfBirth(index),
      timezone: timezone(index),
      deliveryTime: deliveryTime(index),
    });
    loaded += 1;
    onLoaded(loaded);
  });
}
