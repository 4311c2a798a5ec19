/**
 * What the rule says, as one hash, in a process that believes in a time zone (TZ) and a
 * date (first argument, ISO) of its own. Also holds the cases and the properties there.
 */
import { createHash } from 'node:crypto';

const realNow = Date.now();
const pretendedNow = Date.parse(process.argv[2] ?? '');
Date.now = () => pretendedNow + performance.now();

// Imported after that: a library may read the clock only once.
const { explainOccurrence } = await import('../../src/time/explain.ts');
const { birthdayIn, firstBirthdayAfter, nominalDateIn } = await import('./birthdays.ts');
const { retryAfterMs } = await import('../../src/delivery/outcome.ts');
const { nineOClockCases, otherTimeCases } = await import('./occurrence-cases.ts');
const { checkAgainstOracle, checkOrder, zoneNames } = await import('./occurrence-properties.ts');
const { createIntlOracle } = await import('./intl-oracle.ts');
const { bothTzDatabases, nodeTz } = await import('../support/tz-databases.ts');

const hash = createHash('sha256');
let failedCases = 0;
for (const [, tz] of bothTzDatabases) {
  for (const given of [...nineOClockCases, ...otherTimeCases]) {
    const rules = { ...given, tz };
    const { year, dueAt } = firstBirthdayAfter(given, Date.parse(given.now), rules);
    if (dueAt !== Date.parse(given.expected)) failedCases += 1;
    const series = { date: given.dateOfBirth, recurrence: 'birthday' } as const;
    const inputs = { type: 'birthday', ...series, ...given, offsetDays: 0 };
    hash.update(JSON.stringify(explainOccurrence(nominalDateIn(year, given), inputs, tz)));
  }
  // Local times that are missing or repeated somewhere, besides nine o'clock.
  for (const localTime of ['09:00', '00:30', '01:30', '02:30']) {
    const rules = { leapDayPolicy: 'mar1', localTime, tz } as const;
    for (const timezone of zoneNames) {
      for (const dateOfBirth of ['1984-02-29', '1990-03-29', '1990-10-25', '1990-12-31']) {
        const { localDate, dueAt } = birthdayIn(2026, { dateOfBirth, timezone }, rules);
        hash.update(`${timezone} ${dateOfBirth} ${localTime} ${localDate} ${dueAt}\n`);
      }
    }
  }
}
const dates = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
];
for (const date of dates) hash.update(`${retryAfterMs(date, Date.UTC(1994, 10, 6, 8, 40))}\n`);

const intl = { tz: nodeTz, oracle: createIntlOracle(), seed: 1 };
checkAgainstOracle({ ...intl, numRuns: 300 });
checkOrder({ ...intl, numRuns: 50 });

const machine = `${Intl.DateTimeFormat().resolvedOptions().timeZone} ${pretendedNow > realNow}`;
console.log(JSON.stringify({ digest: hash.digest('hex'), failedCases, machine }));
