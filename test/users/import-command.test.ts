import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { listen } from '../../src/platform/http-server.ts';
import { useTestApi } from '../support/api.ts';
import { runProgram } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';

const COMMAND = 'src/cli/import/command.ts';

const api = useTestApi();
let server: Awaited<ReturnType<typeof listen>>;
let folder: string;
beforeAll(async () => {
  const place = { host: '127.0.0.1', port: 0, setting: 'PORT', keepAliveMs: 5_000 };
  server = await listen(api.app, { ...place, streams: new Set(['/v1/imports']) });
  folder = await mkdtemp(join(tmpdir(), 'daybell-import-'));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => api.sql('truncate users.users cascade'));

async function run(name: string, content: string | Buffer, ...args: readonly string[]) {
  const file = join(folder, name);
  await writeFile(file, content);
  const { port } = new URL(server.url);
  return runHere(COMMAND, [file, ...args], { PORT: port });
}

const users = () =>
  api.sql<{ id: string; date: string; name: string }>(
    `select external_id as id, first_name as name, date_of_birth::text as date
     from users.users order by external_id`,
  );

describe('npm run import', () => {
  test('imports what a spreadsheet exports, with its own names and dates, and reports the result', async () => {
    const file =
      '\ufeffID;Vorname;Geb.;Ort\r\n1;Ada;10.12.1990;London\r\n2;Zoë;1.5.1985;Köln\r\n;;;\r\n';
    const path = join(folder, 'a.csv');
    await writeFile(path, file);
    const args = [path, '--map', 'Geb.=dateOfBirth', '--timezone', 'Europe/Berlin'];
    const { port } = new URL(server.url);
    const command = runProgram(process.execPath, [COMMAND, ...args], { settings: { PORT: port } });
    expect(await command.exited).toBe(0);
    const text = command.lines.join('\n');
    expect(text).toMatch(/Users +2 created, 0 updated, 0 unchanged/);
    expect(text).toContain('Columns that were not read: Ort');
    expect(await users()).toEqual([
      { id: '1', name: 'Ada', date: '1990-12-10' },
      { id: '2', name: 'Zoë', date: '1985-05-01' },
    ]);
  });

  test('writes refused rows to a file that can be corrected and imported again', async () => {
    const rows = [
      'id;first name;birthday;timezone',
      '1;Ada;1990-12-10;UTC',
      '2;Bob;1990-02-30;UTC',
      '3;"Eve',
      '4;Zoe;1990-01-02;Mars',
    ];
    const errors = join(folder, 'rejected.csv');
    const first = await run('b.csv', rows.join('\n'), '--errors', errors);
    expect(first.code).toBe(1);
    expect(first.text).toMatch(/Line 3: dateOfBirth must be a day of the calendar.*1990-02-30/);
    const rejected = await readFile(errors, 'utf8');
    expect(rejected.split('\r\n')).toEqual([
      'refusedBecause;id;first name;birthday;timezone',
      expect.stringMatching(/^"dateOfBirth must be .*";2;Bob;1990-02-30;UTC$/),
      expect.stringMatching(/^"line has a quote that is never closed";3;"Eve$/),
      expect.stringMatching(/^"timezone must be .*";4;Zoe;1990-01-02;Mars$/),
      '',
    ]);

    const again = join(folder, 'again.csv');
    const corrected = rejected
      .replace('Bob;1990-02-30', 'Bob;1990-02-28')
      .replace('"Eve', 'Eve;1991-01-02;UTC');
    const second = await run('rejected.csv', corrected, '--errors', again);
    expect(second.text).toMatch(/2 created/);
    expect(second.text).toMatch(/^Refused +1 row$/m);
    expect((await readFile(again, 'utf8')).split('\r\n').slice(0, 2)).toEqual([
      'refusedBecause;id;first name;birthday;timezone',
      expect.stringMatching(/^"timezone must be .*";4;Zoe;1990-01-02;Mars$/),
    ]);
    expect(await users()).toHaveLength(3);
  });

  test('refuses ambiguous dates, whatever other rows contain, until the format is given', async () => {
    const rows = [
      'id,first name,birthday,timezone',
      '1,Ada,06/10/2025,UTC',
      '2,Bob,23/06/2025,UTC',
    ].join('\n');
    const { code, text } = await run('c.csv', rows);
    expect(code).toBe(2);
    expect(text).toMatch(/Line 2 has the date 06\/10\/2025, which is ambiguous.*fit DD\/MM\/YYYY/);
    expect(await users()).toEqual([]);
    await run('c.csv', rows, '--date-format', 'DD/MM/YYYY');
    expect((await users()).map(({ date }) => date)).toEqual(['2025-10-06', '2025-06-23']);
  });

  test('refuses dates that are written in several ways', async () => {
    const rows = ['id,birthday', '1,1990-12-10', '2,23.06.1990'].join('\n');
    const { code, text } = await run('d.csv', rows);
    expect(code).toBe(2);
    expect(text).toMatch(/several ways: 1990-12-10 in line 2, and 23.06.1990 in line 3/);
  });

  test('does not guess encodings', async () => {
    const file = Buffer.from(
      'id,first name,birthday,timezone\n1,Zo\xeb,1990-12-10,UTC\n',
      'latin1',
    );
    const refused = await run('e.csv', file);
    expect(refused.code).toBe(2);
    expect(refused.text).toContain('--encoding windows-1252');
    await run('e.csv', file, '--encoding', 'windows-1252');
    expect(await users()).toMatchObject([{ name: 'Zoë' }]);
    const utf16 = Buffer.from('id,first name\n', 'utf16le');
    expect((await run('f.csv', utf16)).text).toContain('--encoding utf-16le');
  });

  test('stores nothing in a dry run, and deletes missing users only on request', async () => {
    const line = (id: number) =>
      JSON.stringify({
        externalId: String(id),
        firstName: 'Ada',
        dateOfBirth: '1990-12-10',
        timezone: 'UTC',
      });
    const all = [1, 2, 3].map(line).join('\n');
    const dry = await run('g.ndjson', all, '--dry-run');
    expect(dry.text).toMatch(/dry run/);
    expect(await users()).toEqual([]);
    await run('g.ndjson', all);
    const refused = await run('g.ndjson', line(1), '--sync');
    expect(refused.code).toBe(1);
    expect(refused.text).toMatch(/2 users are not in the file.*maxDeletes=2/);
    const { code, text } = await run('g.ndjson', line(1), '--sync', '--max-deletes', '2');
    expect(code).toBe(0);
    expect(text).toContain('Deleted 2 of 2');
  });

  test.for([
    [[], 'One file is required'],
    [['x.csv', '--map', 'a=b'], '--map must be COLUMN=FIELD'],
    [['x.csv', '--what'], "Unknown option '--what'"],
    [['/nowhere/x.csv'], 'cannot be read'],
  ] as const)('ends with 2 and the rule for %j', async ([args, message]) => {
    const { code, text } = await runHere(COMMAND, args);
    expect(code).toBe(2);
    expect(text).toContain(message);
  });

  test('ends with 69 if no Daybell is there', async () => {
    const file = join(folder, 'h.csv');
    await writeFile(file, 'id,first name\n');
    const args = [COMMAND, file, '--url', 'http://127.0.0.1:1/'];
    const running = runProgram(process.execPath, args, { settings: {} });
    expect(await running.exited).toBe(69);
    expect(running.lines.join('\n')).toContain('No Daybell answers at http://127.0.0.1:1');
  });
});
