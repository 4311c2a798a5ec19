/** What the process api reports about the reconciler, and about what waits for an operator. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';

import { createLedgerReconciler } from '../../src/reconcile/ledger.ts';
import { runReconcileWorkflow } from '../../src/reconcile/run-now.ts';
import { valueOf } from '../support/metrics.ts';
import { ENTRIES, runProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { useWatchedOccasions } from './watched-occasions.ts';

const fixture = useWatchedOccasions();

/** Runs both halves, as for an operator; returns how many findings could not be repaired. */
async function reconcile(): Promise<number> {
  const { orm, planner, temporal, taskQueue } = fixture;
  const looks = { everyMs: 600_000, secondLookMs: 1, registry: new Registry() };
  const logger = pino({ level: 'silent' });
  const ledger = await createLedgerReconciler({ orm, planner, logger, ...looks }).run();
  const workflows = await runReconcileWorkflow(temporal.client, taskQueue, () => {});
  return [ledger, workflows]
    .flatMap(({ unrepaired }) => Object.values(unrepaired))
    .reduce((sum, count) => sum + count, 0);
}

test('the last complete check, and what cannot be repaired, are reported while that is the case', async () => {
  const { rows, databaseUrl } = fixture;
  await rows.sql(
    'update events.reconciler set ledger_looked_at = null, workflows_looked_at = null',
  );
  const settings = { DATABASE_URL: databaseUrl, PORT: '0', METRICS_PORT: '0' };
  const api = untilTestEnds(runProcess(ENTRIES.api, settings));
  const url = await urlOf(api, 'metrics');
  await api.line(/"msg":"ready"/);
  const value = async (name: string) => valueOf(await (await fetch(url)).text(), `daybell_${name}`);
  expect(await value('reconcile_last_success_timestamp_seconds')).toBe(0);

  fixture.startNotifier();
  await fixture.startWorker();
  const before = Date.now() / 1_000;
  expect(await reconcile()).toBe(0);
  expect(await value('reconcile_last_success_timestamp_seconds')).toBeGreaterThan(before - 1);
  expect(await value('missed_unrepaired')).toBe(0);

  const userId = await rows.addUser();
  expect(await reconcile()).toBe(0);
  const settle = (key: string | null, nominal: string | null) =>
    rows.sql(
      `update events.occasions set last_settled_key = :key, last_settled_nominal = :nominal
         where id = :userId::uuid`,
      { key, nominal, userId },
    );
  await settle('birthday:x:2031', '2031-03-15');
  expect(await reconcile()).toBe(1);
  expect(await value('missed_unrepaired')).toBe(1);

  await settle(null, null);
  expect(await reconcile()).toBe(0);
  expect(await value('missed_unrepaired')).toBe(0);
});
