import { describe, expect, test } from 'vitest';

import { bundledTz } from '../../../test/support/tz-databases.ts';
import { createLint } from './lint.ts';
import { createSeenRows } from './seen-rows.ts';

const NOW = Date.UTC(2026, 10, 23);
const ADA = {
  id: '',
  externalId: null,
  firstName: 'Ada',
  lastName: '',
  dateOfBirth: '1990-05-20',
  timezone: 'Europe/London',
  deliveryTime: null,
  suspended: false,
  suspendedReason: null,
};

/** The findings for users, each with their own name unless one is given. */
function lintOf(users: readonly Partial<typeof ADA>[], swapped: readonly number[] = []) {
  const lint = createLint({ seen: createSeenRows(), tz: bundledTz, now: NOW, localTime: '09:00' });
  for (const [at, fields] of users.entries()) {
    const user = { ...ADA, lastName: `L${at}`, ...fields };
    lint.accept({ user, line: at + 2, isFirst: true });
  }
  for (const line of swapped) lint.refuseSwapped(line);
  return lint.findings();
}

/** This many users with other dates. */
const others = (count: number): Partial<typeof ADA>[] =>
  Array.from({ length: count }, (_, at) => ({
    dateOfBirth: new Date(Date.UTC(1980, 1, 1 + (at % 300))).toISOString().slice(0, 10),
  }));
const times = (count: number, user: Partial<typeof ADA>) =>
  Array.from({ length: count }, () => user);

describe('lint', () => {
  test('finds nothing in an ordinary file', () => {
    expect(lintOf([...others(500), { dateOfBirth: '1990-01-01' }])).toEqual([]);
  });

  test('reports how many would be greeted on 1 January, and when', () => {
    const [finding] = lintOf([...others(400), ...times(20, { dateOfBirth: '1990-01-01' })]);
    expect(finding).toMatchObject({
      code: 'first-of-january',
      rows: 20,
      lines: [402, 403, 404, 405, 406],
    });
    expect(finding?.message).toMatch(/20 of 420 .* 1 January at 09:00/);
  });

  test.for(['1600', '1604', '1900', '1904'])('finds the placeholder year %s', (year) => {
    const found = lintOf([...others(500), { dateOfBirth: `${year}-05-20` }]);
    expect(found[0]).toMatchObject({ code: 'placeholder-year', rows: 1, lines: [502] });
  });

  test('takes 1970 for a placeholder only if many are born in it', () => {
    const born = (count: number) =>
      lintOf([...others(500), ...times(count, { dateOfBirth: '1970-05-20' })]);
    expect(born(9)).toEqual([]);
    expect(born(50)).toMatchObject([{ code: 'placeholder-year', rows: 50 }]);
  });

  test('finds ages over 120', () => {
    expect(lintOf([{ dateOfBirth: '1905-11-22' }, { dateOfBirth: '1907-11-23' }])).toMatchObject([
      { code: 'over-120', rows: 1 },
    ]);
  });

  test('finds days and months that look swapped, by what was refused and by what is missing', () => {
    expect(lintOf([], [7, 9])).toMatchObject([
      { code: 'day-and-month-swapped', rows: 2, lines: [7, 9] },
    ]);
    const early = times(60, { dateOfBirth: '1990-05-12' });
    expect(lintOf(early)).toMatchObject([{ code: 'day-and-month-swapped', rows: 60 }]);
    expect(lintOf([...early, { dateOfBirth: '1990-05-13' }])).toEqual([]);
  });

  test.for(['Etc/GMT+5', 'EST', 'GMT'])('finds that %s ignores daylight saving', (timezone) => {
    const [finding] = lintOf([{ timezone }]);
    expect(finding).toMatchObject({ code: 'no-daylight-saving', rows: 1 });
    expect(finding?.message).toContain(timezone);
  });

  test.for(['UTC', 'Etc/UTC', 'Asia/Kolkata', 'America/New_York', 'CET'])(
    'finds nothing wrong with %s',
    (timezone) => {
      expect(lintOf([{ timezone }])).toEqual([]);
    },
  );

  test('finds probable duplicates, whatever their case and accents', () => {
    const [finding] = lintOf([
      { firstName: 'Zoë', lastName: 'O’Brien' },
      { firstName: 'Zoë', lastName: 'O’Brien', dateOfBirth: '1991-05-20' },
      { firstName: 'zoe', lastName: "O'BRIEN" },
    ]);
    expect(finding).toMatchObject({ code: 'probable-duplicates', rows: 1, lines: [4] });
  });
});
