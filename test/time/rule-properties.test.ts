// @module-tag long
/**
 * Random recurrence rules: their dates against an oracle that looks at every day, and against
 * another implementation of RFC 5545; their instants against what clocks show.
 */
import fc from 'fast-check';
import { RRuleTemporal } from 'rrule-temporal';
import { describe, expect, it } from 'vitest';

import { dueDatesAfter } from '../../src/time/occurrence.ts';
import {
  keptDate,
  namesDate,
  nominalDateAfter,
  nominalDateFrom,
  policyOf,
  rruleFault,
} from '../../src/time/recurrence.ts';
import { bundledTz } from '../support/tz-databases.ts';
import { createOracle } from './intl-oracle.ts';
import { zoneNames } from './occurrence-properties.ts';
import { datesByOracle, type SpokenRule, WEEKDAYS } from './rule-oracle.ts';

const DAY_MS = 86_400_000;
/** The length of a rule's life, from DTSTART on. */
const YEARS = 6;

const number = (min: number, max: number) => fc.integer({ min, max });
const some = <T>(...values: T[]) =>
  fc.oneof(fc.constant([]), fc.subarray(values, { minLength: 1, maxLength: 4 }));
const weekdays = [...WEEKDAYS];
const ofMonth = weekdays.flatMap((day) => [day, `1${day}`, `2${day}`, `5${day}`, `-1${day}`]);
const ofYear = [...ofMonth, ...weekdays.flatMap((day) => [`20${day}`, `53${day}`, `-53${day}`])];

const day = fc
  .oneof(
    fc.constantFrom('2024-02-29', '2026-12-31', '2027-01-31', '2027-08-31', '2027-03-01'),
    number(Date.UTC(2009, 0, 1) / DAY_MS, Date.UTC(2060, 0, 1) / DAY_MS).map(dateOf),
  )
  .map((date) => ({ date, lastYear: Number(date.slice(0, 4)) + YEARS }));

const rule: fc.Arbitrary<SpokenRule> = fc
  .constantFrom<SpokenRule['frequency']>('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY')
  .chain((frequency) => {
    const isOfMonths = frequency === 'MONTHLY' || frequency === 'YEARLY';
    const named = frequency === 'YEARLY' ? ofYear : ofMonth;
    return fc.record<SpokenRule>({
      frequency: fc.constant(frequency),
      interval: fc.oneof(fc.constant(1), number(1, 7)),
      byMonth: some(1, 2, 3, 4, 6, 11, 12),
      byMonthDay:
        frequency === 'WEEKLY' ? fc.constant([]) : some(1, 13, 28, 29, 30, 31, -1, -2, -28, -31),
      byDay: some(...(isOfMonths ? named : weekdays)),
      bySetPos: fc.oneof(fc.constant([]), some(1, 2, 3, -1, -2, -5, 20)),
      weekStart: fc.constantFrom(...weekdays),
      count: fc.option(number(1, 30), { freq: 1 }),
      until: fc.option(number(14_000, 34_000).map(dateOf), { freq: 1 }),
      skip: fc.constantFrom(null, 'OMIT', 'BACKWARD', 'FORWARD'),
    });
  })
  .map((rule) => {
    const { byMonth, byDay, skip } = rule;
    const isMoving = skip === 'BACKWARD' || skip === 'FORWARD';
    const byMonthDay = rule.byMonthDay.filter((day) => day !== -31 || !isMoving);
    const isChosenFrom = byMonth.length + byMonthDay.length + byDay.length > 0;
    const until = rule.count === null ? rule.until : null;
    const bySetPos = isChosenFrom ? rule.bySetPos : [];
    return Object.assign({}, rule, { byMonthDay, bySetPos, until });
  });

describe('a random recurrence rule', () => {
  it('names the days that the oracle finds, from any day on', () => {
    const property = fc.property(rule, day, number(-40, 360 * YEARS), (rule, at, later) => {
      const { date, lastYear } = at;
      const series = { date, recurrence: 'rrule', rrule: textOf(rule) } as const;
      const dates = datesByOracle(rule, date, lastYear);
      const last = `${lastYear}-12-31`;
      const from = dateOf(Date.parse(date) / DAY_MS + later);
      const expected = dates.filter(({ nominal }) => nominal >= from);

      const found: { nominal: string; kept: string }[] = [];
      const policy = policyOf(series, 'feb28');
      let nominal = nominalDateFrom(series, from);
      while (nominal !== null && nominal <= last && found.length < 25) {
        found.push({ nominal, kept: keptDate(nominal, policy) });
        nominal = nominalDateAfter(series, nominal);
      }
      expect(found).toEqual(expected.slice(0, 25));
      expect(namesDate(series, from)).toBe(expected[0]?.nominal === from);
      if (dates.length > 0) expect(rruleFault(series.rrule, date)).toBeNull();
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is due when clocks show the local time, days before if it has an offset', () => {
    const clocks = createOracle((zone, at) => bundledTz.offsetAt(zone, at));
    const inputs = fc.record({
      timezone: fc.constantFrom(...zoneNames.filter((zone) => bundledTz.isKnown(zone))),
      localTime: fc.constantFrom('09:00', '00:00', '01:30', '02:30', '23:59'),
      offsetDays: fc.oneof(fc.constant(0), number(0, 366)),
      leapDayPolicy: fc.constantFrom('feb28' as const, 'mar1' as const),
    });
    const property = fc.property(rule, day, inputs, number(0, 900), (rule, at, inputs, later) => {
      const { date, lastYear } = at;
      const { timezone, localTime, offsetDays } = inputs;
      const after = Date.parse(date) + later * DAY_MS;
      const expected: string[] = [];
      let previous = NaN;
      for (const { nominal, kept } of datesByOracle(rule, date, lastYear)) {
        const dateOfBirth = dateOf(Date.parse(kept) / DAY_MS - offsetDays);
        const year = Number(dateOfBirth.slice(0, 4));
        const facts = { dateOfBirth, timezone };
        const { dueAt } = clocks.occurrenceInYear(facts, year, {
          localTime,
          leapDayPolicy: 'feb28',
        });
        // Where the calendar skipped a day, two are due at once: the first one counts.
        if (dueAt > after && dueAt !== previous) expected.push(`${nominal} ${dueAt}`);
        previous = dueAt;
        if (expected.length === 8) break;
      }
      const series = { date, recurrence: 'rrule', rrule: textOf(rule), ...inputs } as const;
      const found: string[] = [];
      for (const { nominalDate, dueAt } of dueDatesAfter(series, after, bundledTz)) {
        if (nominalDate > `${lastYear}-12-31`) break;
        found.push(`${nominalDate} ${dueAt}`);
        if (found.length === 8) break;
      }
      expect(found).toEqual(expected);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('without SKIP, names the days that another implementation does', () => {
    const property = fc.property(rule, day, (rule, { date, lastYear }) => {
      const text = textOf({ ...rule, skip: null });
      // The other one looks for seconds for what never comes, and takes the 53rd Friday that a year
      // does not have from the next one.
      const isNumbered = rule.byDay.some((name) => name.length > 2);
      if (rruleFault(text, date) !== null || (isNumbered && rule.frequency === 'YEARLY')) return;
      const basic = date.replaceAll('-', '');
      const other = new RRuleTemporal({
        rruleString: `DTSTART:${basic}T000000Z\nRRULE:${text}`,
        maxIterations: 100_000,
      });
      const until = new Date(Date.UTC(lastYear, 11, 31));
      const expected = other
        .between(new Date(Date.parse(date)), until, true)
        .map((at) => at.toPlainDate().toString())
        .slice(0, 25);
      const series = { date, recurrence: 'rrule', rrule: text } as const;
      const found: string[] = [];
      let nominal = nominalDateFrom(series, date);
      while (nominal !== null && nominal <= `${lastYear}-12-31` && found.length < 25) {
        found.push(nominal);
        nominal = nominalDateAfter(series, nominal);
      }
      expect(found).toEqual(expected);
    });
    fc.assert(property, { numRuns: 200 });
  });
});

function textOf(rule: SpokenRule): string {
  const parts: [string, readonly unknown[] | string | number | null][] = [
    ['FREQ', rule.frequency],
    ['INTERVAL', rule.interval],
    ['BYMONTH', rule.byMonth],
    ['BYMONTHDAY', rule.byMonthDay],
    ['BYDAY', rule.byDay],
    ['BYSETPOS', rule.bySetPos],
    ['WKST', rule.weekStart.slice(0, 2)],
    ['COUNT', rule.count],
    ['UNTIL', rule.until?.replaceAll('-', '') ?? null],
    ['SKIP', rule.skip],
  ];
  return parts
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(';');
}

function dateOf(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10);
}
