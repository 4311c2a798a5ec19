/**
 * Migrations run while the version before is at work, and that version may have to be started again
 * after them: docs/deploys.md. What is after the baseline says who survives it, and its SQL is
 * held against that.
 */
import { Migration } from '@mikro-orm/migrations';
import { expect, test } from 'vitest';

import { findContractions } from '../../../test/support/contracting-sql.ts';
import { type MigrationEntry, migrationsList } from './migrations.ts';

/** The schema of the first release: the rule applies to later ones. */
const BASELINE = '0001-initial';
const names = migrationsList.map(({ name }) => name);
const held = migrationsList.slice(names.indexOf(BASELINE) + 1);

test('migrations are in the order of their numbers, each number once', () => {
  const numbers = names.map((name) => Number(name.slice(0, 4)));
  expect(numbers).toEqual([...new Set(numbers)].toSorted((one, other) => one - other));
  expect(names).toContain(BASELINE);
});

test('each migration since the baseline is compatible with earlier code', () => {
  expect(held.flatMap(faultsOf)).toEqual([]);
});

test.each([
  ['a column is dropped', 'alter table users.users drop column nickname'],
  ['a table is dropped', 'create table users.a (id int); drop table users.b'],
  ['a column has another name', 'alter table users.users rename column first_name to given_name'],
  ['a table has another name', 'alter table users.users rename to people'],
  ['a column has another type', 'alter table users.users alter column revision type bigint'],
  ['a column has to be filled', 'alter table users.users alter locale set not null'],
  ['a new column has to be filled', 'alter table users.users add a text, add b text not null'],
  ['rows are checked', "alter table users.users add check (first_name <> 'a,b')"],
  ['rows must differ', 'create unique index names on users.users (first_name)'],
  ['a new column must differ', "alter table users.users add a text unique default 'x'"],
  ['an index goes', 'drop index users.users_timezone'],
  ['rows go', 'delete from users.users'],
  ['a function is another', 'create or replace function events.clock() returns int return 1'],
  ['something is done to each row', 'create trigger t before insert on users.users'],
])('reported, because earlier code may not survive it: %s', (_, sql) => {
  expect(findContractions(sql)).toHaveLength(1);
});

test.each([
  ['a new table, with all it wants', 'create table users.a (id int primary key, b text not null)'],
  [
    'what belongs to a new table',
    'create table users.a (b int); create unique index on users.a (b); alter table users.a add check (b > 0)',
  ],
  ['a new column', 'alter table users.users add a text, add column b numeric(9, 2) default 1.5'],
  ['one that is filled', "alter table users.users add a text not null default 'x; drop table y'"],
  ['an index', 'create index on users.users (first_name) -- drop table users.users'],
  [
    'a new function',
    'create function users.f() returns int language sql as $$ delete; select 1 $$',
  ],
  ['old rows brought up to the new', 'update users.users set locale = null'],
])('not reported as harmful: %s', (_, sql) => {
  expect(findContractions(sql)).toEqual([]);
});

test.each([
  [undefined, undefined, 'compatibleFrom is not given'],
  ['0002-next', undefined, 'compatibleFrom is no earlier migration'],
  ['0001-initial', undefined, 'without contracts saying what code of 0001-initial does without'],
  ['0001-initial', 'users.history', null],
])(
  'of a migration that drops a table, survived from %s, contracts %s',
  (compatibleFrom, contracts, fault) => {
    class Next extends Migration {
      override up(): void {
        this.addSql('drop table users.history');
      }
    }
    const faults = faultsOf({
      name: '0002-next',
      class: Next,
      ...(compatibleFrom !== undefined && { compatibleFrom }),
      ...(contracts !== undefined && { contracts }),
    });
    expect(faults.join()).toContain(fault ?? '');
    expect(faults).toHaveLength(fault === null ? 0 : 1);
  },
);

function faultsOf(entry: MigrationEntry): string[] {
  const { name, compatibleFrom, contracts = '' } = entry;
  if (compatibleFrom === undefined) return [`${name}: compatibleFrom is not given`];
  if (!names.includes(compatibleFrom) || compatibleFrom >= name) {
    return [`${name}: compatibleFrom is no earlier migration`];
  }
  const found = findContractions(sqlOf(entry));
  if (found.length === 0 || contracts !== '') return [];
  return [
    `${name}: without contracts saying what code of ${compatibleFrom} does without, it must not: ${found.join('; ')}`,
  ];
}

/** Collects what it adds by `addSql`; there is no database to query. */
function sqlOf({ class: Entry }: MigrationEntry): string {
  const migration = new Entry(undefined as never, undefined as never);
  void migration.up();
  return migration.getQueries().map(String).join(';\n');
}
