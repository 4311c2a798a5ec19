/** Keys on a real socket: where the process listens, and who gets in; and the commands that ask it. */
import { describe, expect, test } from 'vitest';

import { findApiKey, SCOPES } from '../../src/access/api-key.ts';
import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { loadSettings } from '../../src/platform/settings/settings.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { runSql, useTestDatabase } from '../support/postgres.ts';
import { runProcess, runProgram, type TestProcess, urlOf } from '../support/process.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const EXIT_CONFIG = 78;

const database = useTestDatabase();

function start(settings: NodeJS.ProcessEnv): TestProcess {
  const given = { DATABASE_URL: database.url, PORT: '0', TEMPORAL_ADDRESS: '127.0.0.1:1' };
  return untilTestEnds(runProcess('src/api/main.ts', { ...given, ...settings }));
}

const portOf = async (api: TestProcess): Promise<string> => new URL(await urlOf(api)).port;

describe('the process api', () => {
  test('without keys listens on loopback alone, and otherwise says why not', async () => {
    const api = start({ HOST: '0.0.0.0' });
    expect(await api.exited).toBe(EXIT_CONFIG);
    expect(api.lines.join('\n')).toContain('HOST: must be a loopback address');
  });

  test('with a key that is none does not start', async () => {
    const { key } = newApiKey('crm', ['users:read']);
    const api = start({ API_KEYS: `crm:users:read:${key}` });
    expect(await api.exited).toBe(EXIT_CONFIG);
    expect(api.lines.join('\n')).toContain('API_KEYS: key 1 of 1 must end with the SHA-256');
    expect(api.lines.join('\n')).not.toContain(key);
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

async function newKey(...args: readonly string[]) {
  const command = runProgram(process.execPath, ['src/cli/new-secret.ts', 'api-key', ...args], {
    settings: {},
  });
  return { exitCode: await command.exited, said: command.lines.join('\n') };
}

describe('npm run key:new', () => {
  test('prints a key, once, and what API_KEYS keeps of it', async () => {
    const { exitCode, said } = await newKey('--name', 'crm', '--scopes', 'users:read,users:write');
    expect(exitCode).toBe(0);
    const keys = said.match(/daybell_[\w-]+/g) ?? [];
    expect(keys).toHaveLength(1);
    const entry = said.split('\n').at(-1)?.trim();
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
    const { exitCode, said } = await newKey(...args);
    expect(exitCode).toBe(2);
    expect(said).toContain(why);
    expect(said).toContain('Usage: npm run key:new');
    expect(said).not.toContain('daybell_');
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

  test.for(COMMANDS)(
    'npm run %s sends API_KEY, and without it says so',
    async ([, entry, args, said]) => {
      const all = newApiKey('operator', SCOPES);
      const other = newApiKey('operator', SCOPES);
      const receiver = await startWebhookReceiver();
      await runSql(database.url, `update events.rules set local_time = '${nowhereSoon()}'`);
      const api = start({
        API_KEYS: all.entry,
        WEBHOOK_URL: receiver.url,
        WEBHOOK_SECRETS: newWebhookSecret(),
        WEBHOOK_ALLOW_PRIVATE: 'true',
      });
      const PORT = await portOf(api);
      const run = async (settings: NodeJS.ProcessEnv) => {
        const command = runProgram(process.execPath, [entry, ...args], {
          settings: { PORT, ...settings },
        });
        await command.exited;
        return command.lines.join('\n');
      };
      expect(await run({ API_KEY: all.key })).toMatch(said);
      expect(await run({})).toContain('Set API_KEY to a key of it.');
      const refused = await run({ API_KEY: other.key });
      expect(refused).toContain('API_KEY is not a key of it that may do this.');
      expect(refused).not.toContain(other.key);
      await receiver.close();
    },
  );
});

/** Zones are quarters of an hour apart: the demo creates nobody when it is further than that. */
function nowhereSoon(): string {
  const minute = (new Date().getUTCMinutes() + 8) % 60;
  return `12:${String(minute).padStart(2, '0')}`;
}
