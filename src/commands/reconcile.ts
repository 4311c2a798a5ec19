/**
 * `npm run reconcile`: looks now for what was missed, has it repaired, and prints what was
 * found. A worker does the work. Exit code 1 when something could not be repaired, 69 when
 * Temporal is away, 78 when a setting is wrong.
 */
import { InvalidSettingsError, loadSettings } from '../config/settings.ts';
import { SchedulerAwayError } from '../events/scheduling.ts';
import { connectTemporal } from '../temporal/connection.ts';
import { type ReconcileNow, reconcileNow } from '../temporal/reconcile-now.ts';
import { EXIT } from './exit.ts';
import { needsOperator, reportInWords } from './reconcile-report.ts';

/** A worker that runs takes it up at once. */
const TELL_OF_NO_WORKER_MS = 10_000;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    return await run();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof InvalidSettingsError) return EXIT.config;
    return error instanceof SchedulerAwayError ? EXIT.unavailable : EXIT.failed;
  }
}

async function run(): Promise<number> {
  const temporal = connectTemporal(loadSettings());
  let reminder: NodeJS.Timeout | undefined;
  try {
    const reconciling = await reconcileNow(temporal.client, temporal.taskQueue);
    process.stdout.write(
      `Looks for what was missed: workflow ${reconciling.workflowId} at ${temporal.address}.\n`,
    );
    reminder = setTimeout(() => void remind(reconciling), TELL_OF_NO_WORKER_MS);
    const report = await reconciling.report();
    process.stdout.write(`\n${reportInWords(report)}`);
    return needsOperator(report) ? 1 : 0;
  } finally {
    clearTimeout(reminder);
    await temporal.close();
  }
}

async function remind(reconciling: ReconcileNow): Promise<void> {
  // Whether Temporal answers is seen by the other call.
  const isTakenUp = await reconciling.isTakenUp().catch(() => true);
  if (!isTakenUp) process.stderr.write('No worker has taken it up: does one run?\n');
}
