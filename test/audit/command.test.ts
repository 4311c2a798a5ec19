import { beforeAll, expect, test } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { ADA, useTestApi } from '../support/api.ts';
import { csv, importInto } from '../support/import.ts';
import { runProgram } from '../support/process.ts';
import { type CommandRun, runHere } from '../support/run-here.ts';

const api = useTestApi();
beforeAll(async () => {
  await api.send('POST', '/v1/users', ADA);
  await importInto(
    api,
    csv(['externalId', 'firstName', 'lastName', 'dateOfBirth', 'timezone'], ...HERD),
  );
  await api.sql(`update users.history set valid_from = '2020-01-01Z'`);
});

/** Ada's birthday, which was never planned. */
const MISSED = '2025-12-10';
/** Birthdays of more users than fit on a page of a list. */
const HERD_MISSED = '2025-03-04';
const HERD = Array.from({ length: 250 }, (_, at) => [
  `crm-${at}`,
  'Bob',
  '"O""Neil, Jr."',
  '1990-03-04',
  'UTC',
]);

const audit = (args: readonly string[], settings: NodeJS.ProcessEnv = {}): Promise<CommandRun> =>
  runHere('src/audit/command.ts', args, settings);

test('prints a table with the keys of the unaccounted, and ends with 1', async () => {
  const [{ id = '' } = {}] = await api.sql<{ id: string }>(
    'select id from users.users where external_id is null',
  );
  const command = runProgram(process.execPath, ['src/audit/command.ts', '--date', MISSED], {
    settings: { DATABASE_URL: api.database.url },
  });
  expect(await command.exited).toBe(1);
  const text = command.lines.join('\n');
  expect(text).toMatch(/^2025-12-10, as of 20/m);
  expect(text).toMatch(/^due +1$/m);
  expect(text).toMatch(/^ {2}unaccounted +1$/m);
  expect(text).toContain(`unaccounted:\n  birthday:${id}:2025`);
});

test('ends with 0 if all are accounted for', async () => {
  const settings = { DATABASE_URL: api.database.url };
  const { code, text } = await audit(['--date', '2025-12-11'], settings);
  expect(code).toBe(0);
  expect(text).toMatch(/^due +0$/m);
  expect(text).toContain('Everyone is accounted for.');
});

test('without its own database, asks the running Daybell', async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  const server = await listen(api.app, place);
  const { port } = new URL(server.url);
  const { code, text } = await audit([`--date=${MISSED}`], { PORT: port });
  await server.stop();
  expect(code).toBe(1);
  expect(text).toMatch(/^ {2}unaccounted +1$/m);

  const alone = await audit(['--date', MISSED], { PORT: port });
  expect(alone.code).toBe(69);
  expect(alone.text).toMatch(/DATABASE_URL is not set, and no Daybell answers/);
});

test('with --list, prints a line for each occurrence of a class, and ends with 0', async () => {
  const [{ id = '' } = {}] = await api.sql<{ id: string }>(
    'select id from users.users where external_id is null',
  );
  const settings = { DATABASE_URL: api.database.url };
  const list = (...args: readonly string[]) =>
    audit(['--date', MISSED, '--list', ...args], settings);
  const row = `unaccounted  birthday:${id}:2025  birthday  2025-12-10  2025-12-10  Europe/London  2025-12-10T09:00:00.000Z  0  ${id}  -  Ada  Lovelace  -`;
  expect(await list('unaccounted')).toEqual({ code: 0, text: row });
  expect(await list('all', '--type', 'birthday')).toEqual({ code: 0, text: row });
  expect(await list('failed.gone')).toEqual({ code: 0, text: '' });
  expect(await list('all', '--type', 'anniversary')).toEqual({ code: 0, text: '' });
});

test('with --csv, lists all pages with a header, from the database and from the running Daybell', async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  const server = await listen(api.app, place);
  const { port } = new URL(server.url);
  const args = ['--date', HERD_MISSED, '--list', 'all', '--csv'];
  const fromDatabase = await audit(args, { DATABASE_URL: api.database.url });
  const fromApi = await audit(args, { PORT: port });
  await server.stop();
  expect(fromApi).toEqual(fromDatabase);
  expect(fromDatabase.code).toBe(0);
  const [header, ...rows] = fromDatabase.text.split('\n');
  expect(header).toBe(
    'class,key,occasionType,nominalDate,localDate,timezone,dueAt,attempts,userId,externalId,firstName,lastName,occasionExternalId',
  );
  const known = rows.map((row) => /,(crm-\d+),Bob,"O""Neil, Jr\.",$/.exec(row)?.[1]);
  expect(known.toSorted()).toEqual(HERD.map(([externalId]) => externalId).toSorted());
  expect(rows[0]).toMatch(/^unaccounted,birthday:[\w-]+:2025,birthday,2025-03-04,2025-03-04,UTC,/);
});

test.each([
  [[], '--date is required'],
  [['--date', '2026-02-30'], '--date must be a date of the calendar, as YYYY-MM-DD'],
  [['--day', '2026-05-20'], "Unknown option '--day'"],
  [['2026-05-20'], 'Unexpected argument'],
  [['--date', '2026-05-20', '--csv'], '--csv needs --list'],
  [['--date', '2026-05-20', '--type', 'birthday'], '--type needs --list'],
  [['--date', '2026-05-20', '--list', 'lost'], '--list must be one of delivered, late,'],
])('ends with 2 and the rule for %j', async (args, message) => {
  const { code, text } = await audit(args, { DATABASE_URL: api.database.url });
  expect(code).toBe(2);
  expect(text).toContain(message);
  expect(text).toContain('Usage: npm run audit -- --date YYYY-MM-DD');
});

test('a setting that is wrong, or a database that is away, is not an audit that found nothing', async () => {
  const wrong = await audit(['--date', MISSED], { DATABASE_URL: 'mysql://x' });
  expect(wrong.code).toBe(78);
  expect(wrong.text).toMatch(/DATABASE_URL: must be a URL/);
  const away = await audit(['--date', MISSED], {
    DATABASE_URL: 'postgresql://x:hunter2@127.0.0.1:1/x',
  });
  expect(away.code).toBe(69);
  expect(away.text).toMatch(/ECONNREFUSED/);
  expect(away.text).not.toMatch(/hunter2/);
});
