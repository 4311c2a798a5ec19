import { expect, test } from 'vitest';

import { createRequestsFirst, stampSlowRequests } from '../../src/planning/pace/requests-first.ts';
import { usePlanningFixture } from '../support/planning-fixture.ts';

const fixture = usePlanningFixture();

test('requests are slow for two seconds after an API process has recorded that', async () => {
  const { orm } = fixture.database;
  const areRequestsSlow = createRequestsFirst(orm);
  expect(await areRequestsSlow()).toBe(false);

  await stampSlowRequests(orm)();
  expect(await areRequestsSlow()).toBe(true);

  await stampedAgo('3 seconds');
  expect(await areRequestsSlow()).toBe(false);
});

test('a stamp from the future, of a clock that was corrected, does not count, and is replaced', async () => {
  const { orm } = fixture.database;
  const areRequestsSlow = createRequestsFirst(orm);
  await stampedAgo('-1 hour');
  expect(await areRequestsSlow()).toBe(false);
  await stampSlowRequests(orm)();
  expect(await areRequestsSlow()).toBe(true);
});

test('all processes together stamp at most twice a second', async () => {
  const { orm } = fixture.database;
  await stampedAgo('0.2 seconds');
  const stamp = stampSlowRequests(orm);
  const before = await stamped();
  await Promise.all([stamp(), stamp()]);
  expect(await stamped()).toEqual(before);
});

const stamped = () => fixture.rows.sql('select stamped_at from events.slow_requests');

const stampedAgo = (ago: string) =>
  fixture.rows.sql(
    `update events.slow_requests set stamped_at = events.clock() - interval '${ago}'`,
  );
