/**
 * `npm run reconcile`: looks for what was missed, repairs it, and prints the findings: in the
 * database at DATABASE_URL, or else the embedded one, and then in Temporal, through a worker. Exit
 * code 1 when something could not be checked or repaired.
 */
import { Registry } from 'prom-client';

import { CommandError, EXIT, explainFailure, runCommand, warn } from '../cli/command.ts';
import { loadSettings, type Settings } from '../platform/settings/settings.ts';
import { readEmbeddedDatabaseUrl } from '../platform/database/embedded-database.ts';
import { errorCode, isServerAway } from '../platform/errors.ts';
import { createLogger } from '../platform/logger.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { readDateSettings } from '../planning/date-settings.ts';
import { createPlanner } from '../planning/planner.ts';
import { connectTemporal, type TemporalConnection } from '../platform/temporal/connection.ts';
import { TemporalAwayError } from '../platform/temporal/errors.ts';
import type { Round } from './findings.ts';
import { createLedgerReconciler } from './ledger.ts';
import { describeReport, needsOperator } from './report.ts';
import { runReconcileWorkflow } from './run-now.ts';
import type { ReconcileReport } from '../workflows/maintenance-contract.ts';

await runCommand(async () => {
  try {
    const settings = loadSettings();
    const temporal = connectTemporal(settings);
    const ledger = await lookThroughLedger(settings);
    process.stdout.write(`The ledger:\n${describeReport(ledger)}\n`);
    const workflows = await lookThroughWorkflows(temporal);
    process.stdout.write(`\n${describeReport(workflows)}`);
    return needsOperator(ledger) || needsOperator(workflows) ? EXIT.failed : 0;
  } catch (error) {
    if (!(error instanceof TemporalAwayError || isServerAway(error))) throw error;
    const isTemporal = error instanceof TemporalAwayError;
    const message = isTemporal ? error.message : explainFailure(error);
    throw new CommandError(message || errorCode(error), EXIT.unavailable);
  }
});

async function lookThroughLedger(settings: Settings): Promise<Round> {
  const { DATABASE_URL, DATA_DIR, POSTGRES_DEV_PORT, WAKE_AFTER, WAKE_RATE } = settings;
  const url = DATABASE_URL ?? (await readEmbeddedDatabaseUrl(DATA_DIR, POSTGRES_DEV_PORT));
  // The report is printed instead.
  const logger = createLogger('reconcile', 'silent');
  const orm = await connectOrm(url, { poolSize: 2 });
  try {
    const { tz, limits } = await readDateSettings(orm, settings, warn);
    const wake = { afterMs: WAKE_AFTER, perSecond: WAKE_RATE };
    const planning = { tz, ...limits, wake };
    const planner = createPlanner({ orm, settings: planning, clock: Date.now, logger });
    const everyMs = settings.RECONCILE_EVERY;
    const registry = new Registry();
    return await createLedgerReconciler({ orm, planner, logger, registry, everyMs }).run();
  } finally {
    await orm.close(true);
  }
}

async function lookThroughWorkflows({
  client,
  address,
  taskQueue,
  close,
}: TemporalConnection): Promise<ReconcileReport> {
  try {
    return await runReconcileWorkflow(client, taskQueue, (workflowId) => {
      process.stdout.write(`The workflows, by ${workflowId} at ${address}:\n`);
    });
  } finally {
    await close();
  }
}
