import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { FIND_OCCASIONS } from '../../src/users/import/batch-sql.ts';
import { createOutbox, type OutboxEntry } from '../../src/users/outbox.ts';
import { createTestApi, useTestApi } from '../support/api.ts';
import { explainGeneric, explainRows } from '../support/explain.ts';
import { csv, importInto, NDJSON } from '../support/import.ts';

const api = useTestApi();
beforeEach(() =>
  api.sql(
    'truncate users.users, users.history, users.outbox, users.occasion_periods, users.erasures cascade',
  ),
);

const ADA = ['ada', 'Ada', '1990-12-10', 'Europe/London'];
const USER = ['externalId', 'firstName', 'dateOfBirth', 'timezone'];
const OCCASION = ['occasionType', 'occasionExternalId', 'occasionDate', 'occasionRecurrence'];
const HEADER = [...USER, ...OCCASION];

interface OccasionRow {
  readonly type: string;
  readonly externalId: string | null;
  readonly date: string | null;
  readonly recurrence: string;
  readonly revision: number;
}

const occasions = () =>
  api.sql<OccasionRow>(`select type, external_id as "externalId", date::text, recurrence, revision
    from users.occasions order by type, external_id`);
const events = () =>
  api.sql<{ type: string; occasionType: string | null; waits: boolean }>(
    `select type, occasion_type as "occasionType", done_at is null as waits
     from users.outbox order by occurred_at, type desc, occasion_type`,
  );
const rules = (refused: readonly { faults: readonly { field: string; rule: string }[] }[]) =>
  refused.map(({ faults }) => `${faults[0]?.field} ${faults[0]?.rule}`);

describe('occasions of a file', () => {
  test('are one per row beside their user, created with their history, and planned with a new user', async () => {
    const file = csv(
      HEADER,
      [...ADA, 'anniversary', 'wedding', '2015-06-20', ''],
      [...ADA, 'subscription', 's1', '2020-01-31', 'monthly'],
      ['bob', 'Bob', '1985-02-28', 'UTC', '', '', '', ''],
    );
    const first = await importInto(api, file);
    expect(first.refused).toEqual([]);
    expect(first.summary).toMatchObject({
      rows: 3,
      users: { created: 2 },
      occasions: { created: 2, updated: 0, unchanged: 0 },
    });
    expect(await occasions()).toEqual([
      {
        type: 'anniversary',
        externalId: 'wedding',
        date: '2015-06-20',
        recurrence: 'birthday',
        revision: 1,
      },
      {
        type: 'subscription',
        externalId: 's1',
        date: '2020-01-31',
        recurrence: 'monthly',
        revision: 1,
      },
    ]);
    expect(await events()).toEqual([
      { type: 'UserCreated', occasionType: null, waits: true },
      { type: 'UserCreated', occasionType: null, waits: true },
      { type: 'OccasionCreated', occasionType: 'anniversary', waits: false },
      { type: 'OccasionCreated', occasionType: 'subscription', waits: false },
    ]);
    const again = await importInto(api, file);
    expect(again.summary).toMatchObject({
      users: { created: 0, unchanged: 2 },
      occasions: { created: 0, updated: 0, unchanged: 2 },
    });
    expect(await events()).toHaveLength(4);
    expect(await api.sql('select from users.occasion_periods')).toHaveLength(2);
  });

  test('are refused because of a number in their data that would lose digits', async () => {
    const row = [...ADA, 'reminder', 'r1', '2027-01-31', 'once'];
    const data = { id: '9007199254740993' };
    const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const text = cell('{"id":9007199254740993}');
    const rule = /^occasionData must hold no number beyond 9007199254740991.*write it as text$/;
    const { refused } = await importInto(api, csv([...HEADER, 'occasionData'], [...row, text]));
    expect(rules(refused)).toEqual([expect.stringMatching(rule)]);
    const asText = [...row, cell(JSON.stringify(data))];
    expect((await importInto(api, csv([...HEADER, 'occasionData'], asText))).refused).toEqual([]);
    expect(await api.sql('select data from users.occasions')).toEqual([{ data }]);
  });

  test('are changed with a new period and an event, even for an unchanged user', async () => {
    await importInto(api, csv(HEADER, [...ADA, 'reminder', 'r1', '2027-01-31', 'monthly']));
    const { summary } = await importInto(
      api,
      csv(
        HEADER,
        [...ADA, 'reminder', 'r1', '2027-02-28', 'monthly'],
        [...ADA, 'reminder', 'r2', '2027-03-01', 'once'],
      ),
    );
    expect(summary).toMatchObject({
      users: { unchanged: 1 },
      occasions: { created: 1, updated: 1, unchanged: 0 },
    });
    expect((await events()).slice(2)).toEqual([
      { type: 'OccasionCreated', occasionType: 'reminder', waits: true },
      { type: 'OccasionUpdated', occasionType: 'reminder', waits: true },
    ]);
    const periods = await api.sql(`
      select p.date::text, p.valid_until is null as "isCurrent" from users.occasion_periods as p
      join users.occasions as o on o.id = p.occasion_id and o.external_id = 'r1' order by p.id`);
    expect(periods).toEqual([
      { date: '2027-01-31', isCurrent: false },
      { date: '2027-02-28', isCurrent: true },
    ]);
  });

  test('without an external id are the only one of their type, or refused with its name', async () => {
    const unnamed = (date: string) => [...ADA, 'reminder', '', date, 'once'];
    await importInto(api, csv(HEADER, unnamed('2027-01-31')));
    await importInto(api, csv(HEADER, unnamed('2027-02-28')));
    expect(await occasions()).toMatchObject([
      { externalId: null, date: '2027-02-28', revision: 2 },
    ]);

    const two = await importInto(api, csv(HEADER, unnamed('2027-02-28'), unnamed('2027-05-01')));
    expect(rules(two.refused)).toEqual([
      'occasionExternalId is required: line 2 has another occasion of type reminder of the user',
    ]);
    await importInto(api, csv(HEADER, [...ADA, 'reminder', 'r2', '2027-03-01', 'once']));
    const several = await importInto(api, csv(HEADER, unnamed('2027-06-01')));
    expect(rules(several.refused)).toEqual([
      'occasionExternalId is required: the user has several occasions of type reminder',
    ]);
    expect(await occasions()).toHaveLength(2);
  });

  test('are those of their own user, even if users have no external id', async () => {
    const header = ['userId', ...USER.slice(1), ...OCCASION];
    const create = async (firstName: string): Promise<string> => {
      const { body } = await api.send('POST', '/v1/users', {
        firstName,
        dateOfBirth: '1990-12-10',
        timezone: 'UTC',
      });
      return body.id;
    };
    const [ada = '', bob = ''] = [await create('Ada'), await create('Bob')];
    const row = (id: string, name: string, date: string) =>
      `${id},${name},1990-12-10,UTC,reminder,,${date},yearly`.split(',');
    await importInto(api, csv(header, row(ada, 'Ada', '2015-01-01')));
    await importInto(api, csv(header, row(bob, 'Bob', '2015-02-02')));
    await importInto(
      api,
      csv(header, row(ada, 'Ada', '2016-03-03'), row(bob, 'Bob', '2016-04-04')),
    );
    const dates = await api.sql(`
      select u.first_name as name, o.date::text from users.occasions as o
      join users.users as u on u.id = o.user_id order by name`);
    expect(dates).toEqual([
      { name: 'Ada', date: '2016-03-03' },
      { name: 'Bob', date: '2016-04-04' },
    ]);
  });

  test("that are identified by Daybell's id get the external id that the file has for them", async () => {
    await importInto(api, csv(HEADER, [...ADA, 'reminder', '', '2027-01-31', 'monthly']));
    const [{ id } = { id: '' }] = await api.sql<{ id: string }>('select id from users.occasions');
    const row = [...ADA, 'reminder', 'r1', '2027-01-31', 'monthly', id];
    const named = () => importInto(api, csv([...HEADER, 'occasionId'], row));
    expect((await named()).summary).toMatchObject({ occasions: { updated: 1 } });
    expect(await occasions()).toMatchObject([{ externalId: 'r1', revision: 2 }]);
    expect((await named()).summary).toMatchObject({ occasions: { unchanged: 1 } });
  });

  test('are found without reading the others of their user', async () => {
    const many = Array.from({ length: 1_000 }, (_, at) => [
      ...ADA,
      'reminder',
      `r${at}`,
      '2027-01-31',
      'once',
    ]);
    await importInto(api, csv(HEADER, ...many));
    const [user] = await api.sql<{ userId: string }>('select id as "userId" from users.users');
    const asked = JSON.stringify([{ at: 0, ...user, type: 'reminder', externalId: 'r999' }]);
    for (const explain of [explainRows, explainGeneric]) {
      const { readRows } = await explain(api.database.orm, FIND_OCCASIONS, { asked });
      expect(readRows).toBeLessThan(10);
    }
  });

  test('are distinguished from those of others, whatever spaces external ids have', async () => {
    const who = (id: string) => [id, 'Ada', '1990-12-10', 'UTC'];
    const file = csv(
      HEADER,
      [...who('a reminder'), 'trial', 'x', '2015-06-20', 'yearly'],
      [...who('a'), 'reminder', 'trial x', '2015-06-20', 'yearly'],
    );
    expect((await importInto(api, file)).summary).toMatchObject({ occasions: { created: 2 } });
  });

  test('that break a rule are refused with the column that does, and with their row', async () => {
    const { refused, summary } = await importInto(
      api,
      csv(
        [...HEADER, 'occasionRrule', 'occasionData'],
        [...ADA, 'birthday', '', '1990-12-10', 'yearly', '', ''],
        [...ADA, 'reminder', 'r1', '', 'once', '', ''],
        [...ADA, 'reminder', 'r1', '2027-01-31', 'sometimes', '', ''],
        [...ADA, '', 'r1', '2027-01-31', 'once', '', ''],
        [...ADA, 'reminder', 'r2', '2027-01-31', '', 'FREQ=HOURLY', ''],
        [...ADA, 'reminder', 'r1', '2027-01-31', 'once', '', '[1]'],
        [...ADA, 'reminder', 'r1', '2027-01-31', 'once', '', '{'],
        [...ADA, 'reminder', 'ok', '2027-01-31', 'once', '', '"{""plan"":""Pro""}"'],
      ),
    );
    expect(rules(refused).toSorted()).toEqual([
      expect.stringMatching(/^occasionData must be a JSON object/),
      expect.stringMatching(/^occasionData must be a JSON object/),
      expect.stringMatching(/^occasionDate is required/),
      expect.stringMatching(/^occasionRecurrence must be one of/),
      expect.stringMatching(/^occasionRrule must/),
      expect.stringMatching(/^occasionType is required/),
      expect.stringMatching(/^occasionType must not be birthday/),
    ]);
    expect(summary).toMatchObject({
      rows: 8,
      refused: 7,
      users: { created: 1 },
      occasions: { created: 1 },
    });
    expect(await api.sql('select data from users.occasions')).toEqual([{ data: { plan: 'Pro' } }]);
  });

  test('without a future occurrence are counted', async () => {
    const { summary } = await importInto(
      api,
      csv(
        HEADER,
        [...ADA, 'reminder', 'past', '2001-01-31', 'once'],
        [...ADA, 'reminder', 'to come', '2901-01-31', 'once'],
      ),
    );
    expect(summary).toMatchObject({ ended: 1, occasions: { created: 2 } });
  });

  test('have no future occurrence once the delivery time of their own type is over', async () => {
    const noon = Date.parse('2026-06-15T12:00:00Z');
    const atNoon = await createTestApi({ clock: () => noon });
    onTestFinished(() => atNoon.database.drop());
    await atNoon.send('PUT', '/v1/occasion-types/evening', { deliveryTime: '20:00' });
    const today = (type: string) => [...ADA, type, '', '2026-06-15', 'once'];
    const { summary } = await importInto(atNoon, csv(HEADER, today('reminder'), today('evening')));
    expect(summary).toMatchObject({ ended: 1, occasions: { created: 2 } });
  });

  test('of one user are stored together, however many there are, and whatever rows are between them', async () => {
    const many = Array.from({ length: 3_000 }, (_, at) => [
      ...ADA,
      'reminder',
      `r${at}`,
      '2027-01-31',
      'once',
    ]);
    const others = Array.from({ length: 700 }, (_, at) => [
      `u${at}`,
      'Bob',
      '1990-05-20',
      'UTC',
      '',
      '',
      '',
      '',
    ]);
    const rows = many.flatMap((row, at) => [row, others[at]].filter((one) => one !== undefined));
    const { summary, lines } = await importInto(api, csv(HEADER, ...rows));
    expect(summary).toMatchObject({
      rows: 3_700,
      refused: 0,
      users: { created: 701 },
      occasions: { created: 3_000 },
    });
    const progress = lines.filter(({ type }) => type === 'progress');
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.at(-1)).toMatchObject({ line: 3_701, rows: 3_700 });
  });

  test('that rows identify in two ways are those of the first', async () => {
    const row = (externalId: string, date: string) => [
      ...ADA,
      'reminder',
      externalId,
      date,
      'once',
    ];
    await importInto(api, csv(HEADER, row('r1', '2027-01-31')));
    const { refused, summary } = await importInto(
      api,
      csv(HEADER, row('r1', '2027-02-28'), row('', '2027-03-31')),
    );
    expect(rules(refused)).toEqual([
      'occasionExternalId must not name the occasion of another row',
    ]);
    expect(summary).toMatchObject({ occasions: { updated: 1 } });
    expect(await occasions()).toMatchObject([{ date: '2027-02-28', revision: 2 }]);
    expect(await api.sql('select from users.occasion_periods')).toHaveLength(2);
  });

  test('of a refused row are taken from a later one', async () => {
    const ada = { externalId: 'ada', firstName: 'Ada', dateOfBirth: '1990-12-10', timezone: 'UTC' };
    const fields = { type: 'reminder', recurrence: 'once' };
    const whole = { ...fields, externalId: 'r1', date: '2027-01-31' };
    const lines = [[whole, { ...fields, externalId: 'r2' }], [whole, whole], [whole]];
    const text = lines.map((occasions) => JSON.stringify({ ...ada, occasions })).join('\n');
    const { refused, summary } = await importInto(api, text, { type: NDJSON });
    expect(rules(refused)).toEqual(['occasions.1.date is required']);
    expect(summary).toMatchObject({ occasions: { created: 1, updated: 0, unchanged: 0 } });
    expect(await occasions()).toMatchObject([{ externalId: 'r1' }]);
  });

  test('nest in the line of their user in JSON', async () => {
    const ada = { externalId: 'ada', firstName: 'Ada', dateOfBirth: '1990-12-10', timezone: 'UTC' };
    const good = {
      ...ada,
      occasions: [
        { type: 'anniversary', date: '2015-06-20' },
        { type: 'birthday-reminder', offsetDays: 7 },
        {
          type: 'subscription',
          externalId: 's',
          date: '2027-01-31',
          rrule: 'FREQ=MONTHLY;BYDAY=-1FR',
          data: { plan: 'Pro' },
        },
      ],
    };
    const bad = {
      ...ada,
      externalId: 'bob',
      occasions: [{ type: 'anniversary' }, { type: 'reminder', date: 7 }],
    };
    const text = [good, bad].map((line) => JSON.stringify(line)).join('\n');
    const { summary, refused } = await importInto(api, text, { type: NDJSON });
    expect(rules(refused)).toEqual(['occasions.1.date must be a string']);
    expect(summary).toMatchObject({ users: { created: 1 }, occasions: { created: 3 } });
    expect((await occasions()).map(({ type, recurrence }) => [type, recurrence])).toEqual([
      ['anniversary', 'birthday'],
      ['birthday-reminder', 'birthday'],
      ['subscription', 'rrule'],
    ]);
    const again = await importInto(api, text, { type: NDJSON });
    expect(again.summary).toMatchObject({ occasions: { created: 0, updated: 0, unchanged: 3 } });
  });
});

test('occasions that are due within days are planned before those that can wait', async () => {
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(5, 10);
  const born = (id: string, days: number) => [
    id,
    'Ada',
    `1992-${day(days)}`,
    'UTC',
    '',
    '',
    '',
    '',
  ];
  const reminder = (days: number) => [
    ...ADA,
    'reminder',
    `in ${days}`,
    new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10),
    'once',
  ];
  await importInto(
    api,
    csv(HEADER, ['ada', 'Ada', `1992-${day(100)}`, 'Europe/London', '', '', '', '']),
  );
  await api.sql('truncate users.outbox');
  const ada = ['ada', 'Ada', `1992-${day(100)}`, 'Europe/London'];
  await importInto(
    api,
    csv(
      HEADER,
      born('later', 60),
      born('tomorrow', 1),
      born('later still', 90),
      [...ada, ...reminder(50).slice(4)],
      [...ada, ...reminder(1).slice(4)],
      ['new', 'Eve', `1992-${day(70)}`, 'UTC', ...reminder(1).slice(4)],
    ),
  );
  const outbox = createOutbox(api.database.orm);
  const nameOf = async ({ userId, occasionId }: OutboxEntry): Promise<string> => {
    const [row] = await api.sql<{ name: string }>(
      `select coalesce((select external_id from users.occasions where id = ?),
         (select external_id from users.users where id = ?)) as name`,
      [occasionId, userId],
    );
    return row?.name ?? '';
  };
  // As the scheduler claims them, three at a time.
  const first = await Promise.all((await outbox.claim(3, 60_000)).map(nameOf));
  const rest = await Promise.all((await outbox.claim(10, 60_000)).map(nameOf));
  // With a new user, all occasions are planned.
  expect(first.toSorted()).toEqual(['in 1', 'new', 'tomorrow']);
  expect(rest.toSorted()).toEqual(['in 50', 'later', 'later still']);
});
