import { beforeAll, describe, expect, test } from 'vitest';

import { ForecastSchema } from '../../src/forecast/schema.ts';
import { listen } from '../../src/platform/http-server.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { csv, importInto } from '../support/import.ts';
import { runProgram } from '../support/process.ts';
import { type CommandRun, runHere } from '../support/run-here.ts';

const api = useTestApi();
beforeAll(async () => {
  await api.send('POST', '/v1/users', ADA);
});

const HOUR = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR).toISOString();

const forecast = (args: readonly string[], settings: NodeJS.ProcessEnv = {}): Promise<CommandRun> =>
  runHere('src/forecast/command.ts', args, settings);

test('draws what falls due, from the database', async () => {
  const args = ['src/forecast/command.ts', '--from', inHours(1), '--to', inHours(24 * 366)];
  const command = runProgram(process.execPath, args, {
    settings: { DATABASE_URL: api.database.url },
  });
  expect(await command.exited).toBe(0);
  const text = command.lines.join('\n');
  expect(text).toMatch(/: 1 due, 0 of them planned/);
  expect(text).toMatch(/^\d{4}-12-10 {2}1 {2}█{40}$/m);
  expect(text).toMatch(/The fullest minutes:\n {2}\d{4}-12-10 09:00Z +1 {2}Europe\/London 1/);
});

test('without its own database, asks the running Daybell; as JSON, too', async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  const server = await listen(api.app, place);
  const { port } = new URL(server.url);
  const args = ['--to', inHours(24 * 366), '--json'];
  const { code, text } = await forecast(args, { PORT: port });
  await server.stop();
  expect(ForecastSchema.parse(JSON.parse(text))).toMatchObject({ due: 1, planned: 0 });
  expect(code).toBe(0);

  const alone = await forecast([], { PORT: port });
  expect(alone.code).toBe(69);
  expect(alone.text).toMatch(/DATABASE_URL is not set, and no Daybell answers/);
});

describe('with --list', () => {
  /** More users than fit on a page of a list. */
  const HERD = Array.from({ length: 250 }, (_, at) => `crm-${at}`);
  /** In the middle of the window. */
  const birthday = inHours(24 * 5).slice(0, 10);
  const WINDOW = ['--from', inHours(24 * 3), '--to', inHours(24 * 7)];
  beforeAll(async () => {
    const rows = HERD.map((id) => [id, 'Bob', '"O""Neil, Jr."', `1992${birthday.slice(4)}`, 'UTC']);
    const header = ['externalId', 'firstName', 'lastName', 'dateOfBirth', 'timezone'];
    await importInto(api, csv(header, ...rows));
  });

  test('prints a line for each that falls due', async () => {
    const settings = { DATABASE_URL: api.database.url };
    const { code, text } = await forecast([...WINDOW, '--list'], settings);
    expect(code).toBe(0);
    const year = birthday.slice(0, 4);
    const lines = text.split('\n').filter((line) => line.includes('crm-'));
    expect(lines).toHaveLength(HERD.length);
    expect(lines[0]).toMatch(
      new RegExp(
        `^birthday:[\\w-]+:${year}  birthday  ${birthday}  ${birthday}  UTC  ${birthday}T09:00:00.000Z  false  [\\w-]+  crm-\\d+  Bob  O"Neil, Jr\\.  -$`,
      ),
    );
    const none = await forecast([...WINDOW, '--list', '--type', 'anniversary'], settings);
    expect(none).toEqual({ code: 0, text: '' });
  });

  test('and --csv, prints all pages with a header, from the database and from the running Daybell', async () => {
    const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
    const server = await listen(api.app, place);
    const { port } = new URL(server.url);
    const args = [...WINDOW, '--list', '--csv'];
    const fromDatabase = await forecast(args, { DATABASE_URL: api.database.url });
    const fromApi = await forecast(args, { PORT: port });
    await server.stop();
    expect(fromApi).toEqual(fromDatabase);
    expect(fromDatabase.code).toBe(0);
    const [header, ...rows] = fromDatabase.text.split('\n');
    expect(header).toBe(
      'key,occasionType,nominalDate,localDate,timezone,dueAt,planned,userId,externalId,firstName,lastName,occasionExternalId',
    );
    const known = rows.flatMap((row) => /,(crm-\d+),Bob,"O""Neil, Jr\.",$/.exec(row)?.[1] ?? []);
    expect(known.toSorted()).toEqual(HERD.toSorted());
  });
});

test.each([
  [['--from', '2020-01-01T00:00:00Z'], '--from must not be in the past'],
  [['--to', '2999-01-01T00:00:00Z'], '--to must be at most 400 days after from'],
  [['--by', 'day'], "Unknown option '--by'"],
  [['--csv'], '--csv needs --list'],
  [['--list', '--to', inHours(24 * 40)], '--to must be at most 31 days after from'],
])('ends with 2 and the rule for %j', async (args, message) => {
  const { code, text } = await forecast(args, { DATABASE_URL: api.database.url });
  expect(code).toBe(2);
  expect(text).toContain(message);
  expect(text).toContain('Usage: npm run forecast');
});

test('a setting that is wrong, or a database that is away, is not a day without occurrences', async () => {
  const wrong = await forecast([], { DATABASE_URL: 'mysql://x' });
  expect(wrong.code).toBe(78);
  const away = await forecast([], { DATABASE_URL: 'postgresql://x:hunter2@127.0.0.1:1/x' });
  expect(away.code).toBe(69);
  expect(away.text).toMatch(/ECONNREFUSED/);
  expect(away.text).not.toMatch(/hunter2/);
});
