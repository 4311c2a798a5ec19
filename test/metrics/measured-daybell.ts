/**
 * Daybell's four processes on their own database and receiver, each with a port for its metrics.
 */
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { MEASURED, type MeasuredProcess } from '../../dev/ports.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { ENTRIES, runProcess, type TestProcess } from '../support/process.ts';
import { findWorkflowBundle, uniqueTaskQueue, useDevServer } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

export interface MeasuredDaybell {
  readonly database: TestDatabase;
  readonly processes: Readonly<Record<MeasuredProcess, TestProcess>>;
  stop(): Promise<void>;
}

/** Starts them; they may not be ready yet. */
export async function startMeasuredDaybell(): Promise<MeasuredDaybell> {
  const temporal = await useDevServer();
  await temporal.close();
  const database = await createTestDatabase();
  const receiver = await startWebhookReceiver();
  const settings = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WEBHOOK_URL: receiver.url,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    PORT: '0',
    METRICS_PORT: '0',
  };
  const start = (name: MeasuredProcess) => runProcess(ENTRIES[name], settings);
  const processes = {
    api: start('api'),
    worker: start('worker'),
    dispatcher: start('dispatcher'),
    scheduler: start('scheduler'),
  };
  return {
    database,
    processes,
    async stop() {
      await Promise.all(MEASURED.map((name) => processes[name].stop('SIGKILL')));
      await receiver.close();
      await database.drop();
    },
  };
}
