// @module-tag long
/** `npm start` without any settings: its own database, Temporal and receiver. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { valueOf } from '../support/metrics.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { createUser, occurrenceThat, send } from './support/birthdays.ts';
import { dueInstants } from '../support/instant-zones.ts';
import {
  runDaybell,
  startDaybell,
  stillRunning,
  temporaryDataDir,
} from '../support/started-daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

test(
  'prints the greeting once, refuses a second start, stops in order, and finds its users again',
  { timeout: 480_000 },
  async () => {
    const dataDir = await temporaryDataDir();
    const due = dueInstants(dataDir);
    const settings = {
      DATA_DIR: dataDir,
      ...due.settings,
      METRICS_PORT: '0',
      // As for a newcomer: the worker bundles its workflows itself.
      WORKFLOW_BUNDLE: '',
    };
    const daybell = await startDaybell(settings);
    const { timezone } = due.next(15_000);
    const userId = await createUser(daybell, due.dateOfBirth, { timezone });
    expect(await readiness(daybell.url)).toBe(200);

    // Anyone who can read the folder could sign as Daybell.
    const secretFile = join(settings.DATA_DIR, 'webhook.secret');
    expect((await stat(secretFile)).mode & 0o777).toBe(0o600);
    const tested = await send(daybell, 'POST', '/v1/webhook/test');
    expect(tested).toMatchObject({ status: 200, verdict: 'delivered', signatures: 1 });
    await daybell.terminal.line(/A test event, and its signature is good · test:/);
    await fetch(daybell.receiver, { method: 'POST', body: '{}' });
    await daybell.terminal.line(/REFUSED a request without an id/);

    const second = runDaybell(settings);
    expect(await second.exited).toBe(1);
    expect(second.lines.join('\n')).toMatch(/already runs on DATA_DIR .* \(process \d+\)/);
    expect(await readiness(daybell.url)).toBe(200);

    await daybell.terminal.line(/Hey, Ada Lovelace it's your birthday/);
    await occurrenceThat(daybell, userId, ({ status }) => status === 'COMPLETED');
    await occurrenceThat(daybell, userId, ({ status }) => status === 'PENDING');
    const greetings = daybell.terminal.lines.filter((line) => /receiver .*birthday:/.test(line));
    expect(greetings).toHaveLength(1);
    expect(greetings[0]).toMatch(/ · \d+ ms after its instant · birthday:/);

    const ofDispatcher = await metricsIn(daybell.terminal.lines, 'dispatcher');
    expect(valueOf(ofDispatcher, 'daybell_deliveries_total')).toBe(1);
    const ofApi = await metricsIn(daybell.terminal.lines, 'api');
    expect(valueOf(ofApi, 'daybell_outbox_length')).toBe(0);
    for (const name of ['worker', 'scheduler']) {
      const page = await metricsIn(daybell.terminal.lines, name);
      expect(valueOf(page, 'process_resident_memory_bytes')).toBeGreaterThan(0);
    }

    const processes = daybell.processes();
    expect(processes.map(({ name }) => name).sort()).toEqual([
      'api',
      'dispatcher',
      'postgres',
      'receiver',
      'scheduler',
      'supervisor',
      'temporal',
      'worker',
    ]);
    expect(await daybell.terminal.stop('SIGINT')).toBe(0);
    expect(stillRunning(processes)).toEqual([]);
    expect(daybell.terminal.lines.at(-1)).toMatch(/stopped$/);
    const secret = (await readFile(secretFile, 'utf8')).trim();
    expect(daybell.terminal.lines.join('\n')).not.toContain(secret);

    const { WORKFLOW_BUNDLE: _, ...withBundle } = settings;
    const again = await startDaybell(withBundle);
    expect((await readFile(secretFile, 'utf8')).trim()).toBe(secret);
    expect(await send(again, 'GET', `/v1/users/${userId}`)).toMatchObject({ firstName: 'Ada' });
    expect(await again.terminal.stop('SIGTERM')).toBe(0);
  },
);

/** Of the process with this name, where the banner says. */
async function metricsIn(lines: readonly string[], name: string): Promise<string> {
  const row = lines.find((line) => line.startsWith('  Metrics ')) ?? '';
  const [, url = ''] = new RegExp(`(http://\\S+/metrics) ${name}\\b`).exec(row) ?? [];
  return (await fetch(url)).text();
}

async function readiness(url: string): Promise<number> {
  return (await fetch(`${url}/readyz`)).status;
}
