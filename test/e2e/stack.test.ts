// @module-tag long
/** `npm run stack`: the production shape with one command, through one birthday. */
import { delimiter, dirname } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { askRun } from '../support/ask-run.ts';
import { findProductionPrograms, findTemporalUiProgram } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import { createUser, occurrenceThat, until, workflowInWebUi } from './support/birthdays.ts';
import { dueInstants } from '../support/instant-zones.ts';
import {
  runDaybell,
  startDaybell,
  stillRunning,
  temporaryDataDir,
} from '../support/started-daybell.ts';

const STACK = 'dev/stack/main.ts';

/** A search path that contains the run's Prometheus. */
let path: string;

/** The time to build them with Go, in case they are missing. */
beforeAll(async () => {
  await findProductionPrograms();
  await findTemporalUiProgram();
  path = [dirname(await askRun('prometheus')), process.env['PATH']].join(delimiter);
}, 30 * 60_000);

test(
  'greets a new user at the instant, on servers as in production, shows it, and stops in order',
  { timeout: 480_000 },
  async () => {
    const receiver = await startWebhookReceiver();
    const dataDir = await temporaryDataDir();
    const instants = dueInstants(dataDir);
    const daybell = await startDaybell(
      {
        PATH: path,
        DATA_DIR: dataDir,
        METRICS_PORT: '0',
        ...instants.settings,
        WEBHOOK_URL: receiver.url,
        WEBHOOK_SECRETS: newWebhookSecret(),
        WEBHOOK_ALLOW_PRIVATE: 'true',
      },
      STACK,
    );
    const due = instants.next(30_000);
    const { timezone } = due;
    const userId = await createUser(daybell, instants.dateOfBirth, { timezone });
    await occurrenceThat(daybell, userId, (one) => one.status === 'PENDING');
    const page = await fetch(`${daybell.webUi}/namespaces/default/workflows`);
    expect(await page.text()).toContain('<html');
    const { status } = await workflowInWebUi(daybell, userId);
    expect(status).toBe('WORKFLOW_EXECUTION_STATUS_RUNNING');

    await occurrenceThat(daybell, userId, (one) => one.status === 'COMPLETED');
    await occurrenceThat(daybell, userId, (one) => one.status === 'PENDING');
    expect(receiver.received.map(({ body }) => body.data.user?.id)).toEqual([userId]);
    expect(receiver.received[0]?.at).toBeGreaterThanOrEqual(due.at);

    const names = daybell.processes().map(({ name }) => name);
    expect(names.toSorted()).toEqual([
      'api',
      'dispatcher',
      'postgres',
      'prometheus',
      'scheduler',
      'supervisor',
      'temporal',
      'temporal-ui',
      'worker',
    ]);
    await until(async () => (await seen(daybell.addressIn('Prometheus'))) === 5);

    const processes = daybell.processes();
    expect(await daybell.terminal.stop('SIGINT')).toBe(0);
    expect(stillRunning(processes)).toEqual([]);
    await receiver.close();
  },
);

test('servers other than its own are refused, each with its setting', async () => {
  const settings = {
    DATA_DIR: await temporaryDataDir(),
    DATABASE_URL: 'postgresql://user:hunter2@127.0.0.1:1/daybell',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  };
  const refused = runDaybell(settings, STACK);
  expect(await refused.exited).toBe(78);
  const said = refused.lines.join('\n');
  expect(said).toMatch(/DATABASE_URL: must not be set.*\n +TEMPORAL_ADDRESS: must not be set/);
  expect(said).not.toContain('hunter2');
});

/** From how many processes Prometheus gets metrics. */
async function seen(prometheus: string): Promise<number> {
  const response = await fetch(`${prometheus}/api/v1/query?query=sum(up)`);
  const { data } = (await response.json()) as { data: { result: [{ value: [number, string] }?] } };
  return Number(data.result[0]?.value[1] ?? 0);
}
