import { beforeEach, describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { csv, importInto, NDJSON } from '../support/import.ts';

const api = useTestApi();
beforeEach(() =>
  api.sql('truncate users.users, users.history, users.outbox, users.occasion_periods cascade'),
);

const HEADER = ['externalId', 'firstName', 'lastName', 'dateOfBirth', 'timezone'];
const ADA = ['ada', 'Ada', 'Lovelace', '1990-12-10', 'Europe/London'];
const BOB = ['bob', 'Bob', '', '1985-02-28', 'Asia/Tokyo'];

interface UserRow {
  readonly externalId: string;
  readonly firstName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
  readonly suspended: boolean;
  readonly revision: number;
}

const users = () =>
  api.sql<UserRow>(`select external_id as "externalId", first_name as "firstName",
    date_of_birth::text as "dateOfBirth", timezone, suspended, revision
    from users.users order by external_id`);
const userOf = async (externalId: string) =>
  (await users()).find((user) => user.externalId === externalId);
const outbox = () =>
  api.sql<{ type: string; changed: string[]; waits: boolean }>(
    'select type, changed, done_at is null as waits from users.outbox order by id',
  );

describe('users of a file', () => {
  test('are created with their history and an event each, and not touched by the same file again', async () => {
    const file = csv(HEADER, ADA, BOB);
    const first = await importInto(api, file);
    expect(first.summary).toMatchObject({
      rows: 2,
      refused: 0,
      users: { created: 2, updated: 0, unchanged: 0 },
    });
    expect(await users()).toMatchObject([
      { externalId: 'ada', firstName: 'Ada', dateOfBirth: '1990-12-10', revision: 1 },
      { externalId: 'bob', firstName: 'Bob', timezone: 'Asia/Tokyo', revision: 1 },
    ]);
    expect(await outbox()).toEqual([
      { type: 'UserCreated', changed: [], waits: true },
      { type: 'UserCreated', changed: [], waits: true },
    ]);
    const before = await api.counts();

    const second = await importInto(api, file);
    expect(second.summary).toMatchObject({ users: { created: 0, updated: 0, unchanged: 2 } });
    expect(await api.counts()).toEqual(before);
    expect(before).toMatchObject({ users: 2, history: 2, outbox: 2 });
  });

  test('are changed where the file differs, and planned again only if schedule inputs change', async () => {
    await importInto(api, csv(HEADER, ADA, BOB));
    const { summary } = await importInto(
      api,
      csv(
        HEADER,
        ['ada', 'Augusta', 'Lovelace', '1990-12-10', 'Europe/London'],
        ['bob', 'Bob', '', '1985-03-01', 'Asia/Tokyo'],
      ),
    );
    expect(summary).toMatchObject({ users: { created: 0, updated: 2, unchanged: 0 } });
    expect(await users()).toMatchObject([
      { externalId: 'ada', firstName: 'Augusta', revision: 2 },
      { externalId: 'bob', dateOfBirth: '1985-03-01', revision: 2 },
    ]);
    expect((await outbox()).slice(2)).toEqual([
      { type: 'UserUpdated', changed: ['firstName'], waits: false },
      { type: 'UserUpdated', changed: ['dateOfBirth'], waits: true },
    ]);
    const history = await api.sql(`
      select date_of_birth::text as date, valid_until is null as "isCurrent",
        valid_from = coalesce(lag(valid_until) over (partition by user_id order by id), valid_from)
          as "isGapless"
      from users.history order by user_id, id`);
    expect(history).toEqual([
      { date: '1990-12-10', isCurrent: true, isGapless: true },
      { date: '1985-02-28', isCurrent: false, isGapless: true },
      { date: '1985-03-01', isCurrent: true, isGapless: true },
    ]);
  });

  test('keep the fields for which the file has no column: an opt-out is not lifted', async () => {
    await importInto(
      api,
      csv([...HEADER, 'suspended', 'suspendedReason'], [...ADA, 'true', 'opted out']),
    );
    await importInto(api, csv(['externalId', 'firstName'], ['ada', 'Augusta']));
    expect(await userOf('ada')).toMatchObject({
      firstName: 'Augusta',
      timezone: 'Europe/London',
      suspended: true,
    });
    await importInto(api, csv(['externalId', 'suspended'], ['ada', 'no']));
    expect(await userOf('ada')).toMatchObject({ suspended: false });
  });

  test('who are new need all required fields', async () => {
    const { refused, summary } = await importInto(
      api,
      csv(['externalId', 'firstName'], ['eve', 'Eve']),
    );
    expect(refused).toEqual([
      {
        type: 'refused',
        line: 2,
        faults: [
          { field: 'dateOfBirth', rule: 'is required' },
          { field: 'timezone', rule: 'is required' },
        ],
      },
    ]);
    expect(summary).toMatchObject({ rows: 1, refused: 1, users: { created: 0 } });
  });

  test('get the time zone of the request if the file has none for them', async () => {
    const options = { query: 'timezone=Europe/Berlin' };
    await importInto(api, csv(HEADER, ADA, ['eve', 'Eve', '', '1990-01-02', '']), options);
    await importInto(
      api,
      csv(
        ['id', 'firstName', 'birthday'],
        ['joe', 'Joe', '1990-01-02'],
        ['ada', 'Ada', '1990-12-10'],
      ),
      options,
    );
    expect(await userOf('eve')).toMatchObject({ timezone: 'Europe/Berlin' });
    expect(await userOf('joe')).toMatchObject({ timezone: 'Europe/Berlin' });
    expect(await userOf('ada')).toMatchObject({ timezone: 'Europe/London' });
  });

  test('may be repeated, if the rows agree; one that does not is refused with its name', async () => {
    const { refused, summary } = await importInto(
      api,
      csv(HEADER, ADA, BOB, ADA, ['ada', 'Eve', 'Lovelace', '1990-12-10', 'Europe/London']),
    );
    expect(refused).toMatchObject([
      { line: 5, faults: [{ field: 'externalId', rule: expect.stringContaining('line 2') }] },
    ]);
    expect(summary).toMatchObject({ rows: 4, users: { created: 2, unchanged: 0 } });
    expect(await userOf('ada')).toMatchObject({ firstName: 'Ada' });
  });

  test('who would not be born yet in their zone are refused', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const { refused } = await importInto(
      api,
      csv(HEADER, ['eve', 'Eve', '', tomorrow, 'Pacific/Pago_Pago']),
    );
    expect(refused[0]?.faults[0]).toMatchObject({ field: 'dateOfBirth', rule: /future/ });
  });
});

describe('refused rows', () => {
  test('are returned, on request, as a file that can be corrected and imported again', async () => {
    // Bob is refused only when he is stored: a new user needs a zone.
    const file = csv(
      ['refusedBecause', ...HEADER],
      ['"an earlier, other reason"', ...ADA.with(3, '1990-13-45')],
      ['', ...BOB.with(4, '')],
    );
    const { lines, refused, summary } = await importInto(api, file, { query: 'rows=true' });
    const [first] = lines;
    if (first?.type !== 'header') throw new Error('The first line is no header.');
    expect(summary).toMatchObject({ refused: 2 });
    const rows = refused.map(({ row = '' }) => row);
    expect(rows[0]).toMatch(/^"dateOfBirth must be [^"]+",ada,Ada,/);
    expect(rows[1]).toMatch(/^"timezone [^"]+",bob,Bob,/);
    const again = first.row + rows.join('').replace('1990-13-45', '1990-12-10');
    const corrected = await importInto(api, again, { query: 'timezone=Asia/Tokyo' });
    expect(corrected.summary).toMatchObject({ refused: 0, users: { created: 2 } });
  });

  test('of NDJSON are returned as objects, and none are returned by default', async () => {
    const eve = JSON.stringify({ externalId: 'eve', firstName: 'Eve' });
    const { lines, refused } = await importInto(api, eve, { query: 'rows=true', type: NDJSON });
    expect(lines[0]).toEqual({ type: 'header', row: '' });
    expect(JSON.parse(refused[0]?.row ?? '')).toMatchObject({
      externalId: 'eve',
      refusedBecause: 'dateOfBirth is required; timezone is required',
    });
    const without = await importInto(api, eve, { type: NDJSON });
    expect(without.lines[0]).toMatchObject({ type: 'refused' });
    expect(without.refused[0]).not.toHaveProperty('row');
  });

  test('are reported with field, rule and value, and block no other', async () => {
    const { refused, summary } = await importInto(
      api,
      csv(
        HEADER,
        ADA,
        ['x', '', 'Nobody', '1990-02-30', 'Europe/Berln'],
        ['', 'Eve', '', '1990-01-02', 'UTC'],
        ['y', 'x'.repeat(300), '', '1990-01-02', 'UTC'],
        ['z', 'Zoe', '', '1990-01-02'],
        BOB,
      ),
    );
    expect(refused).toMatchObject([
      {
        line: 3,
        faults: [
          { field: 'dateOfBirth', rule: /day of the calendar/, value: '1990-02-30' },
          { field: 'timezone', rule: /Europe\/Berlin/, value: 'Europe/Berln' },
          { field: 'firstName', rule: 'is required' },
        ],
      },
      { line: 4, faults: [{ field: 'externalId', rule: 'is required' }] },
      { line: 5, faults: [{ field: 'firstName', value: `${'x'.repeat(100)}…` }] },
      {
        line: 6,
        faults: [{ field: 'line', rule: 'must have 5 fields, as the header has, and has 4' }],
      },
    ]);
    expect(summary).toMatchObject({ rows: 6, refused: 4, users: { created: 2 } });
  });

  test('are those that contain a column in the wrong encoding', async () => {
    const file = Buffer.concat([
      Buffer.from(csv(HEADER, ADA)),
      Buffer.from(csv(['zoe', 'Zo\xeb', '', '1990-01-02', 'UTC']), 'latin1'),
      Buffer.from(csv(BOB)),
    ]);
    const { refused, summary } = await importInto(api, file);
    expect(refused).toMatchObject([{ line: 3, faults: [{ rule: /UTF-8/ }] }]);
    expect(summary).toMatchObject({ users: { created: 2 } });
  });
});

describe('dates', () => {
  const dated = (...dates: readonly string[]) =>
    csv(HEADER, ...dates.map((date, at) => [`u${at}`, 'Ada', '', date, 'UTC']));
  const stored = async () => (await users()).map(({ dateOfBirth }) => dateOfBirth);

  test('without a year are refused with their name, and the others keep theirs', async () => {
    const { refused } = await importInto(api, dated('5/20/1990', '5/20', '12/1/1985'), {
      query: 'dateFormat=M/D/YYYY',
    });
    expect(refused).toMatchObject([
      { line: 3, faults: [{ rule: /must have a year/, value: '5/20' }] },
    ]);
    expect(await stored()).toEqual(['1990-05-20', '1985-12-01']);
  });

  test('other than ISO need a format, and serial numbers are not accepted', async () => {
    const { refused } = await importInto(api, dated('20.05.1990', '45000', '06/10/90'));
    expect(refused.map(({ faults }) => faults[0]?.rule)).toEqual([
      expect.stringMatching(/YYYY-MM-DD/),
      expect.stringMatching(/serial number.*text/),
      expect.stringMatching(/four digits/),
    ]);
  });

  test('with two digits of a year are accepted with a pivot', async () => {
    await importInto(api, dated('20.05.90', '20.05.05'), {
      query: 'dateFormat=DD.MM.YY&yearPivot=20',
    });
    expect(await stored()).toEqual(['1990-05-20', '2005-05-20']);
  });
});

describe('a file', () => {
  test('of Excel in UTF-16 with semicolons, another order and quotes is accepted', async () => {
    const text =
      '\ufeff"Geburtstag";" Vorname ";"Kundennummer";"Zeitzone";"E-Mail"\r\n"1990-05-20";"Zoë; die Erste";"k1";"Europe/Berlin";""\r\n;;;;\r\n';
    const { summary } = await importInto(api, Buffer.from(text, 'utf16le'));
    expect(summary).toMatchObject({ rows: 1, users: { created: 1 }, ignoredColumns: ['E-Mail'] });
    expect(await userOf('k1')).toMatchObject({ firstName: 'Zoë; die Erste' });
  });

  test('without a column that identifies users is refused as a whole', async () => {
    const { status, problem } = await importInto(
      api,
      csv(['firstName', 'birthday'], ['Ada', '1990-05-20']),
    );
    expect(status).toBe(400);
    expect(problem?.errors?.[0]).toMatchObject({ field: 'externalId', rule: /must be a column/ });
  });

  test.for([
    ['nothing at all', 'text/csv', '', 400],
    ['JSON', 'application/json', '{}', 415],
    ['no type', '', 'a', 415],
  ] as const)('that is %s is refused', async ([, type, body, status]) => {
    expect(await importInto(api, body, { type })).toMatchObject({ status });
  });

  test('that is compressed is refused', async () => {
    const headers = { 'Content-Encoding': 'gzip' };
    expect(await importInto(api, 'a', { headers })).toMatchObject({ status: 415 });
  });

  test('of JSON lines has one user a line', async () => {
    const line = {
      externalId: 'ada',
      firstName: 'Ada',
      dateOfBirth: '1990-12-10',
      timezone: 'UTC',
    };
    const text = [
      line,
      { ...line, externalId: 'bob', nickname: 'B' },
      'no json',
      [],
      { ...line, externalId: 4 },
    ]
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      .join('\n');
    const { refused, summary } = await importInto(api, `\n${text}\n\n`, { type: NDJSON });
    expect(summary).toMatchObject({ rows: 5, users: { created: 1 } });
    expect(refused).toMatchObject([
      { line: 3, faults: [{ field: 'nickname', rule: 'is not a field here' }] },
      { line: 4, faults: [{ field: 'line', rule: 'must be a JSON object' }] },
      { line: 5, faults: [{ field: 'line', rule: 'must be a JSON object' }] },
      { line: 6, faults: [{ field: 'externalId', rule: 'must be a string' }] },
    ]);
  });

  test('for a dry run is checked in the same way', async () => {
    await importInto(api, csv(HEADER, ADA));
    const before = await api.counts();
    const changed = ['ada', 'Augusta', 'Lovelace', '1990-12-10', 'Europe/London'];
    const { summary, refused } = await importInto(
      api,
      csv(HEADER, changed, BOB, ['x', '', '', '', '']),
      {
        query: 'dryRun=true',
      },
    );
    expect(summary).toMatchObject({ dryRun: true, users: { created: 1, updated: 1 }, refused: 1 });
    expect(refused).toHaveLength(1);
    expect(await api.counts()).toEqual(before);
    expect(await userOf('ada')).toMatchObject({ firstName: 'Ada' });
  });
});

describe('a file that has all users', () => {
  const many = Array.from({ length: 30 }, (_, at) => [`u${at}`, 'Ada', '', '1990-05-20', 'UTC']);
  const sync = (rows: readonly (readonly string[])[], query = 'sync=true') =>
    importInto(api, csv(HEADER, ...rows), { query });
  beforeEach(async () => {
    await importInto(api, csv(HEADER, ...many));
  });

  test('deletes those who are not in it, with an event each', async () => {
    const { summary } = await sync(many.slice(2));
    expect(summary?.sync).toEqual({ missing: 2, deleted: 2, refused: null });
    expect((await users()).map(({ externalId }) => externalId)).not.toContain('u1');
    expect((await outbox()).filter(({ type }) => type === 'UserDeleted')).toHaveLength(2);
    const open = 'select from users.history where valid_until is null';
    expect(await api.sql(open)).toHaveLength(28);
  });

  test('deletes nobody if that is more than a tenth, unless their number is given', async () => {
    const refused = await sync(many.slice(4));
    expect(refused.summary?.sync).toMatchObject({
      missing: 4,
      deleted: 0,
      refused: /maxDeletes=4/,
    });
    expect(await users()).toHaveLength(30);
    expect((await sync(many.slice(4), 'sync=true&maxDeletes=3')).summary?.sync).toMatchObject({
      deleted: 0,
    });
    expect((await sync(many.slice(4), 'sync=true&maxDeletes=4')).summary?.sync).toMatchObject({
      deleted: 4,
    });
    expect(await users()).toHaveLength(26);
  });

  test('keeps those whose rows are refused, and everyone if a refused row does not identify its user', async () => {
    const broken = [['u0', '', '', '', '']];
    const named = await sync([...many.slice(1), ...broken]);
    expect(named.summary?.sync).toEqual({ missing: 0, deleted: 0, refused: null });
    const unknown = await sync([...many.slice(1), ['', 'Ada', '', '1990-05-20', 'UTC']]);
    expect(unknown.summary?.sync).toMatchObject({
      deleted: 0,
      refused: expect.stringContaining('do not say which users'),
    });
    expect(await users()).toHaveLength(30);
  });

  test('keeps those that a refused row identifies only by an id of Daybell', async () => {
    const [first] = await api.sql<{ id: string }>(
      "select id from users.users where external_id = 'u0'",
    );
    const others = many.slice(1).map((row) => [''].concat(row));
    const withIds = (...row: readonly string[]) =>
      importInto(api, csv(['userId', ...HEADER], ...others, row), { query: 'sync=true' });
    const rest = ['Ada', '', '1990-05-20', 'UTC'];

    const renamed = await withIds(first?.id ?? '', 'another', ...rest);
    expect(renamed.refused).toHaveLength(1);
    expect(renamed.summary?.sync).toEqual({ missing: 0, deleted: 0, refused: null });
    const broken = await withIds(`${first?.id}0`, '', ...rest);
    expect(broken.summary?.sync).toMatchObject({
      deleted: 0,
      refused: expect.stringContaining('do not say which users'),
    });
    expect(await users()).toHaveLength(30);
  });

  test('deletes no one in a dry run', async () => {
    expect((await sync(many.slice(2), 'sync=true&dryRun=true')).summary?.sync).toMatchObject({
      missing: 2,
      deleted: 0,
    });
    expect(await users()).toHaveLength(30);
  });
});
