// @module-tag long
/** A short `npm run test:fuzz`. A failure prints the seed, and how to send the request again. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type TestTemporal, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { fuzz } from './schemathesis.ts';
import { type FuzzTarget, startTarget } from './target.ts';

const SECONDS = 8;
/** Besides: the download, once, and what it does before and after on a busy machine. */
const LIMIT_MS = 600_000;

let database: TestDatabase;
let temporal: TestTemporal;
let target: FuzzTarget;
beforeAll(async () => {
  database = await createTestDatabase();
  temporal = await useDevServer();
  target = await startTarget({
    databaseUrl: database.url,
    temporalAddress: temporal.address,
    taskQueue: uniqueTaskQueue(),
  });
});
afterAll(async () => {
  await target.stop();
  await temporal.close();
  await database.drop();
});

test(
  'whatever is sent, the API answers as its description says, and lets nobody in without a key',
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const { ok, output } = await fuzz(target, { seconds: SECONDS, seed });
    expect(ok, `seed ${seed}\n${output}`).toBe(true);
    expect(output).toMatch(/\d+ passed/);
    expect(target.log.filter((line) => line.includes('"request failed"'))).toEqual([]);
  },
  LIMIT_MS,
);
