/** Keys on a real socket: where the process listens, and who gets in; and the commands that ask it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findApiKey, SCOPES } from '../../src/access/api-key.ts';
import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { runSql, useTestDatabase } from '../support/postgres.ts';
import { runProcess, type TestProcess, urlOf } from '../support/process.ts';
import { type CommandRun, runHere } from '../support/run-here.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const EXIT_CONFIG = 78;

const database = useTestDatabase();

function run(settings: NodeJS.ProcessEnv): TestProcess {
  const given = { DATABASE_URL: database.url, PORT: '0', TEMPORAL_ADDRESS: '127.0.0.1:1' };
  return runProcess('src/api/main.ts', { ...given, ...settings });
}

const start = (settings: NodeJS.ProcessEnv): TestProcess => untilTestEnds(run(settings));

const portOf = async (api: TestProcess): Promise<string> => new URL(await urlOf(api)).port;

describe('the process api', () => {
  test('without keys listens on loopback only, and refuses other addresses with the reason', async () => {
    const api = start({ HOST: '0.0.0.0' });
    expect(await api.exited).toBe(EXIT_CONFIG);
    expect(api.lines.join('\n')).toContain('HOST: must be a loopback address');
  });

  test('with keys listens on any address, and serves callers who have one', async () => {
    const { key, entry } = newApiKey('crm', ['users:read']);
    const api = start({ HOST: '0.0.0.0', API_KEYS: entry });
    const users = `http://127.0.0.1:${await portOf(api)}/v1/users`;
    expect((await fetch(users)).status).toBe(401);
    const allowed = await fetch(users, { headers: { Authorization: `Bearer ${key}` } });
    expect(allowed.status).toBe(200);
    const line = await api.line(/"key":"crm"/);
    expect(JSON.parse(line)).toMatchObject({ msg: 'request', status: 200 });
    expect(api.lines.join('\n')).not.toContain(key);
  });
});

const newKey = (...args: readonly string[]): Promise<CommandRun> =>
  runHere('src/cli/new-secret.ts', ['api-key', ...args]);

describe('npm run key:new', () => {
  test('prints a key, once, and what API_KEYS keeps of it', async () => {
    const { code, text } = await newKey('--name', 'crm', '--scopes', 'users:read,users:write');
    expect(code).toBe(0);
    const keys = text.match(/daybell_[\w-]+/g) ?? [];
    expect(keys).toHaveLength(1);
    const entry = text.split('\n').at(-1)?.trim();
    const { API_KEYS = [] } = loadSettings({ API_KEYS: entry });
    expect(findApiKey(API_KEYS, keys[0] ?? '')).toMatchObject({
      name: 'crm',
      scopes: ['users:read', 'users:write'],
    });
  });

  test.for([
    [[], '--name is required.'],
    [['--name', 'crm'], '--scopes is required.'],
    [['--name', 'c:rm', '--scopes', 'users:read'], 'A key must have a name of 1 to 64 letters'],
    [['--name', 'crm', '--scopes', 'all'], 'A key must have scopes of users:read, users:write'],
    [['--name', 'crm', '--role', 'admin'], "Unknown option '--role'"],
  ] as const)('with %j says what is wrong, and makes none', async ([args, why]) => {
    const { code, text } = await newKey(...args);
    expect(code).toBe(2);
    expect(text).toContain(why);
    expect(text).toContain('Usage: npm run key:new');
    expect(text).not.toContain('daybell_');
  });
});

describe('the commands that ask the API', () => {
  const COMMANDS = [
    ['audit', 'src/audit/command.ts', ['--date', '2026-05-20'], /^due +0$/m],
    ['webhook:test', 'src/cli/webhook-test.ts', [], /delivered/],
    [
      'webhook:check',
      'src/cli/webhook-check.ts',
      [],
      /WRONG +An event that is signed with another secret/,
    ],
    ['demo', 'dev/demo/main.ts', [], /This Daybell greets at/],
  ] as const;

  const all = newApiKey('operator', SCOPES);
  const other = newApiKey('operator', SCOPES);
  let receiver: WebhookReceiver;
  let api: TestProcess;
  let PORT: string;
  beforeAll(async () => {
    receiver = await startWebhookReceiver();
    await runSql(database.url, `update events.rules set local_time = '${nowhereSoon()}'`);
    api = run({
      API_KEYS: all.entry,
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRETS: newWebhookSecret(),
      WEBHOOK_ALLOW_PRIVATE: 'true',
    });
    PORT = await portOf(api);
  });
  afterAll(async () => {
    await api.stop('SIGKILL');
    await receiver.close();
  });

  test.for(COMMANDS)(
    'npm run %s sends API_KEY, and says if it is missing',
    async ([, entry, args, said]) => {
      const ask = async (settings: NodeJS.ProcessEnv): Promise<string> =>
        (await runHere(entry, args, { PORT, ...settings })).text;
      expect(await ask({ API_KEY: all.key })).toMatch(said);
      expect(await ask({})).toContain('Set API_KEY to a key of it.');
      const refused = await ask({ API_KEY: other.key });
      expect(refused).toContain('API_KEY is not a key of it that may do this.');
      expect(refused).not.toContain(other.key);
    },
  );
});

/**
 * Zones are quarters of an hour apart: the demo creates no users if the next instant is further
 * away.
 */
function nowhereSoon(): string {
  const minute = (new Date().getUTCMinutes() + 8) % 60;
  return `12:${String(minute).padStart(2, '0')}`;
}
