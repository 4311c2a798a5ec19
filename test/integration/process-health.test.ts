/** What each process reports of itself on METRICS_PORT, for its supervisor. */
import { describe, expect, test } from 'vitest';

import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

const database = useTestDatabase();

/** With no Temporal anywhere, which only a worker waits for. */
function start(entry: string, settings: NodeJS.ProcessEnv = {}): TestProcess {
  const given = {
    PORT: '0',
    METRICS_PORT: '0',
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    WEBHOOK_URL: 'https://greetings.example/',
    WEBHOOK_SECRETS: newWebhookSecret(),
    ...settings,
  };
  return untilTestEnds(runProcess(entry, given));
}

async function ask(running: TestProcess, path: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(new URL(path, await urlOf(running, 'metrics')));
  return { status: answer.status, body: await answer.json() };
}

const process = { name: 'process', ready: true };

describe('a process on its own port', () => {
  test.for(['src/planning/main.ts', 'src/delivery/main.ts'])(
    '%s lives, and is ready',
    async (entry) => {
      const running = start(entry);
      await running.line(/"msg":"ready"/);
      expect(await ask(running, '/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
      expect(await ask(running, '/readyz')).toEqual({
        status: 200,
        body: { ready: true, checks: [process] },
      });
    },
  );

  test('a worker that waits for Temporal lives, and is not ready', async () => {
    const worker = start('src/worker/main.ts', { WORKER_ROLE: 'activities' });
    expect(await ask(worker, '/healthz')).toMatchObject({ status: 200 });
    expect(await ask(worker, '/readyz')).toEqual({
      status: 503,
      body: { ready: false, checks: [{ name: 'process', ready: false, detail: 'starting' }] },
    });
  });

  test('an API answers there as it does in public, and requires no key', async () => {
    const { entry } = newApiKey('crm', ['users:read']);
    const api = start('src/api/main.ts', { API_KEYS: entry });
    await api.line(/"msg":"ready"/);
    expect(await ask(api, '/readyz')).toEqual({
      status: 200,
      body: {
        ready: true,
        checks: [process, { name: 'database', ready: true }, { name: 'migrations', ready: true }],
      },
    });
    expect(await ask(api, '/healthz')).toMatchObject({ status: 200 });
  });

  test('an API without its database lives, and is not ready', async () => {
    const api = start('src/api/main.ts', {
      DATABASE_URL: 'postgresql://daybell:hunter2@127.0.0.1:1/daybell',
    });
    await api.line(/"msg":"ready"/);
    expect(await ask(api, '/healthz')).toMatchObject({ status: 200 });
    const { status, body } = await ask(api, '/readyz');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      ready: false,
      checks: [process, { name: 'database', ready: false }, {}],
    });
  });
});
