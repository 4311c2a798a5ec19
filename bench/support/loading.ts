/** Brings users in as a client of Daybell does: with the outbox row, never past it. */
import pLimit from 'p-limit';

import { connectOrm } from '../../src/platform/database/orm.ts';
import { createUsers } from '../../src/users/users.ts';
import { loadTzDatabase } from '../../src/platform/load-tz-database.ts';
import { createApiClient } from './api-client.ts';

export interface LoadOptions {
  readonly users: number;
  /** Of one user, by number. */
  readonly dateOfBirth: (index: number) => string;
  /** UTC without. */
  readonly timezone?: (index: number) => string;
  /** HH:MM; the installation's without. */
  readonly deliveryTime?: (index: number) => string | null;
  readonly onLoaded: (count: number) => void;
}

/** Requests at a time: what the API's pool and a core are busy with. */
const CONCURRENCY = 16;

/** By POST /v1/users. */
export async function loadByApi(apiUrl: string, options: LoadOptions): Promise<void> {
  const client = createApiClient(apiUrl, CONCURRENCY);
  await loadAll(options, async (input) => {
    const { status, body } = await client.send('POST', '/v1/users', input);
    if (status !== 201) throw new Error(`POST /v1/users answered ${status}: ${body}`);
  });
  client.close();
}

/**
 * By the User Context itself, in this process: the same verb and the same transaction with the
 * outbox as the API's, without HTTP between. For loading 100,000.
 */
export async function loadByStore(databaseUrl: string, options: LoadOptions): Promise<void> {
  const orm = await connectOrm(databaseUrl, { poolSize: CONCURRENCY });
  const users = createUsers(orm, { clock: Date.now, tz: loadTzDatabase('newest') });
  await loadAll(options, async (input) => {
    await users.create({ externalId: null, ...input });
  });
  await orm.close(true);
}

/** Birthdays over the whole year but the next weeks: of users who are not due while a bench runs. */
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
