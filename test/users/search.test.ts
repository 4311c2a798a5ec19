// @module-tag long
/** The search for users: what is found, and that it is found by index. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import type { UserPlace } from '../../src/users/user-list.ts';
import { createUsers } from '../../src/users/users.ts';
import { rowsReadOf } from '../support/explain.ts';
import { useFilledDatabase, useTestDatabase } from '../support/postgres.ts';
import { bundledTz } from '../support/tz-databases.ts';

const database = useTestDatabase();
const context = { clock: Date.now, tz: bundledTz };
const BASE = { dateOfBirth: '1990-12-10', timezone: 'UTC', deliveryTime: null };
const ANYBODY = { after: null, externalId: null, timezone: null };

describe('folded text', () => {
  test.for<readonly [string, string]>([
    ['ASCII', 'Ada LOVELACE-42'],
    ['Latin', 'ÀÉÎÕÜ Åke Čapek ŐRÉ Nguyễn Thị İstanbul Ş ŷ Zoë Ǆ ﬁ Ｆｕｌｌ ½'],
    ['Greek', 'ΆΛΦΑ Βήτα Ωμέγα ΪΫ Σίσυφος'],
    ['Cyrillic', 'Ёлка ЙОД Їжак Ґанок Ўзбек ЂЏЉЊ ЫЪЬЭЮЯ Қазақ Ә Ө'],
    ['Armenian', 'Արամ ԽԱՉԱՏՐՅԱՆ Օֆ'],
    ['scripts without case', '李 小龍 김민수 שלום محمد राम'],
  ])('is lower case without accents in any locale: %s', async ([, text]) => {
    const [row] = await database.orm.em
      .fork()
      .execute<{ folded: string }[]>('select users.folded(:text) as folded', { text });
    const expected = text
      .normalize('NFKD')
      .replaceAll(/[\u0300-\u036f]/g, '')
      .toLowerCase()
      .replaceAll('ς', 'σ');
    expect(row?.folded).toBe(expected);
  });

  test('has base letters for those that Unicode does not decompose', async () => {
    const [row] = await database.orm.em
      .fork()
      .execute<{ folded: string }[]>(
        "select users.folded('Øre Łódź Đorđe Straße STRAẞE Æ œ Þór Işık Ðe') as folded",
      );
    expect(row?.folded).toBe('ore lodz dorde strasse strasse ae oe thor isik de');
  });
});

describe('a search', () => {
  beforeAll(async () => {
    const users = createUsers(database.orm, context);
    for (const [firstName, lastName, externalId] of [
      ['Zoë', 'Łukasz', 'crm-1'],
      ['Ада', 'Лавлейс', 'CRM-2'],
      ['Ada', 'Lovelace', null],
      ['Adam', 'van Zoé', 'x_1%'],
      ['Zoey', '', null],
    ] as const) {
      await users.create({ ...BASE, firstName, lastName, externalId });
    }
  });
  const find = async (q: string) => {
    const users = createUsers(database.orm, context);
    const { users: found } = await users.list({ ...ANYBODY, q, limit: 10 });
    return found.map(({ firstName }) => firstName);
  };

  test.for([
    ['ada', ['Ada', 'Adam']],
    ['ADA L', ['Ada']],
    ['lovelace a', ['Ada']],
    ['zoe', ['Zoë', 'Zoey']],
    ['ZOÉ ł', ['Zoë']],
    ['lukasz', ['Zoë']],
    ['van zoe', ['Adam']],
    ['лАв', ['Ада']],
    ['Crm-', ['Zoë', 'Ада']],
    ['x_', ['Adam']],
    ['%', []],
    ["a' or true --", []],
    ['vela', []],
  ] as const)('for %j finds what begins with it, in order of creation', async ([q, names]) => {
    expect(await find(q)).toEqual(names);
  });

  test('has pages, and can be combined with other filters', async () => {
    const users = createUsers(database.orm, context);
    const names: string[] = [];
    let place: UserPlace | null = null;
    do {
      // Empty while a transaction runs, in any database of the server, that could precede it.
      const page = await users.list({ ...ANYBODY, after: place, q: 'a', limit: 1 });
      names.push(...page.users.map(({ firstName }) => firstName));
      place = page.next;
    } while (place !== null);
    expect(names).toEqual(['Ada', 'Adam']);
    const elsewhere = await users.list({ ...ANYBODY, timezone: 'Asia/Tokyo', q: 'a', limit: 1 });
    expect(elsewhere.users).toEqual([]);
  });
});

const USERS = 60_000;

describe(`of ${USERS} users`, () => {
  const filled = useFilledDatabase(async ({ em }) => {
    await em.fork().execute(LOAD, { users: USERS });
  });

  for (const statistics of ['fresh', 'not taken yet'] as const) {
    test(`a search reads those that it finds, statistics ${statistics}`, async () => {
      const database = await filled.clone();
      onTestFinished(() => database.drop());
      if (statistics === 'fresh') await database.orm.em.fork().execute('analyze users.users');
      const read = await rowsReadOf('users.users', database, async (orm) => {
        const users = createUsers(orm, context);
        for (const [q, count] of [
          ['firstname12345', 10],
          ['LÀSTNAME112345', 1],
          ['crm-154321', 1],
          ['nobody', 0],
        ] as const) {
          const page = await users.list({ ...ANYBODY, q, limit: 10 });
          expect(page.users).toHaveLength(count);
        }
      });
      expect(read).toBeLessThan(USERS / 100);
    });
  }
});

/** One for each name and external id; none is the beginning of another. */
const LOAD = `
  insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone,
    revision, created_at, updated_at, inputs_changed_at)
  select gen_random_uuid(), 'CRM-' || n, 'Firstname' || n, 'Lástname' || n, date '1990-05-20', 'UTC',
    1, now(), now(), now()
  from generate_series(100001, 100000 + :users::int) as n`;
