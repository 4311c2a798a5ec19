/** `npm run reconcile` as an operator types it, with no worker running. */
import { expect, test } from 'vitest';

import { createTestDatabase } from '../support/postgres.ts';
import { runProcess } from '../support/process.ts';
import { uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

test('without a worker it ends, with the cause', { timeout: 120_000 }, async () => {
  const [database, temporal] = await Promise.all([createTestDatabase(), useDevServer()]);
  const command = untilTestEnds(
    runProcess('src/reconcile/command.ts', {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    }),
  );
  expect(await command.exited).toBe(69);
  expect(command.lines.at(-1)).toMatch(/^No worker has taken it up for 20 s: /);
  await temporal.close();
  await database.drop();
});
