/**
 * What must be true of the occurrence rule for every zone, link, year and local time.
 * Run by the tests, and again in processes that believe in another time zone.
 */
import fc from 'fast-check';

import type { TzDatabase } from '../../src/time/tz-database.ts';
import { birthdayIn, type BornAt, type DateRules, firstBirthdayAfter } from './birthdays.ts';
import type { Oracle } from './intl-oracle.ts';
import committedNames from './zone-names.json' with { type: 'json' };

/** Zones and links of the tz database, and whatever this Node knows beyond them. */
export const zoneNames: readonly string[] = [
  ...new Set([...committedNames, ...Intl.supportedValuesOf('timeZone')]),
];

interface Question {
  readonly facts: BornAt;
  readonly year: number;
  readonly rules: DateRules;
}

export interface PropertyRun {
  readonly tz: TzDatabase;
  /** Whether it knows the same offsets. */
  readonly oracle: Oracle;
  readonly numRuns: number;
  /** If unset, different in each run; a failure names it. */
  readonly seed?: number;
}

/**
 * One year's occurrence is where the oracle finds it; half of them on days when clocks change.
 * Returns the number of runs.
 */
export function checkAgainstOracle(run: PropertyRun): number {
  const { oracle } = run;
  const property = fc.property(anyQuestion(run), ({ facts, year, rules }) => {
    const found = birthdayIn(year, facts, rules);
    const expected = oracle.occurrenceInYear(facts, year, rules);
    same('instant', found.dueAt, expected.dueAt);
    same('year', found.year, year);

    const wall = wallAt(oracle, facts.timezone, found.dueAt);
    same('local date', found.localDate, wall.date);
    if (expected.kind === 'unique' || expected.kind === 'repeated') {
      same('local time', wall.time, rules.localTime);
    }
    if (expected.kind === 'missing_day') same('local time', wall.time, rules.localTime);
  });
  fc.assert(property, paramsOf(run));
  return run.numRuns;
}

/**
 * From any instant on: strictly after it, the first such, then one for each nominal year. Returns
 * the number of runs.
 */
export function checkOrder(run: PropertyRun): number {
  const { oracle } = run;
  const aroundMs = fc.oneof(
    fc.constantFrom(-1, 0, 1),
    fc.integer({ min: -400 * 86_400_000, max: 400 * 86_400_000 }),
  );
  const property = fc.property(anyQuestion(run), aroundMs, ({ facts, year, rules }, around) => {
    const after = birthdayIn(year, facts, rules).dueAt + around;
    const birthYear = Number(facts.dateOfBirth.slice(0, 4));
    const first = firstBirthdayAfter(facts, after, rules);
    const start = Math.max(birthYear + 1, year - 3);
    const expected = Array.from({ length: 8 }, (_, index) => start + index).find(
      (candidate) => oracle.occurrenceInYear(facts, candidate, rules).dueAt > after,
    );
    same('first year', first.year, expected);

    const second = firstBirthdayAfter(facts, first.dueAt, rules);
    same('second year', second.year, first.year + 1);
  });
  fc.assert(property, paramsOf(run));
  return run.numRuns;
}

function paramsOf({ numRuns, seed }: PropertyRun) {
  return seed === undefined ? { numRuns } : { numRuns, seed };
}

function anyQuestion(run: PropertyRun): fc.Arbitrary<Question> {
  return fc.oneof(anyDay(run), anyDayOfChange(run));
}

function anyDay({ tz }: PropertyRun): fc.Arbitrary<Question> {
  return fc
    .record({
      timezone: fc.constantFrom(...zoneNames),
      dateOfBirth: anyDateOfBirth(),
      age: fc.integer({ min: 1, max: 150 }),
      rules: anyRules(tz),
    })
    .map(({ timezone, dateOfBirth, age, rules }) => ({
      facts: { dateOfBirth, timezone },
      year: Number(dateOfBirth.slice(0, 4)) + age,
      rules,
    }));
}

/** Leap days as often as all others together: that is where rules differ. */
function anyDateOfBirth(): fc.Arbitrary<string> {
  const year = fc.integer({ min: 1800, max: 2060 });
  const ordinary = fc
    .tuple(year, fc.integer({ min: 0, max: 364 }))
    .map(([year, days]) => isoDate(Date.UTC(year, 0, 1 + days)));
  const leap = year.map((year) => `${year - (year % 4) - (year % 100 < 4 ? 4 : 0)}-02-29`);
  return fc.oneof(ordinary, leap);
}

function anyRules(tz: TzDatabase): fc.Arbitrary<DateRules> {
  const anyTime = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([hour, minute]) => `${two(hour)}:${two(minute)}`);
  return fc.record({
    tz: fc.constant(tz),
    leapDayPolicy: fc.constantFrom('feb28' as const, 'mar1' as const),
    localTime: fc.oneof(fc.constant('09:00'), anyTime),
  });
}

/** A local time within two hours of a change of clocks, or within the change. */
function anyDayOfChange({ tz, oracle }: PropertyRun): fc.Arbitrary<Question> {
  return fc
    .record({
      timezone: fc.constantFrom(...zoneNames),
      year: fc.integer({ min: 1840, max: 2060 }),
      pick: fc.nat(),
      place: fc.double({ min: 0, max: 1, noNaN: true }),
      age: fc.integer({ min: 4, max: 100 }),
      rules: anyRules(tz),
    })
    .map(({ timezone, year, pick, place, age, rules }) => {
      const [from, until] = [Date.UTC(year, 0, 1), Date.UTC(year + 4, 0, 1)];
      const changes = oracle.changesBetween(timezone, from, until, 6 * 86_400_000);
      const change = changes[pick % Math.max(changes.length, 1)] ?? from;
      const walls = [change - 1, change].map((at) => at + oracle.offsetAt(timezone, at));
      const [low, high] = [Math.min(...walls) - 7_200_000, Math.max(...walls) + 7_200_000];
      return dayAt(timezone, low + place * (high - low), age, rules);
    });
}

/** The question whose answer is a given local time. */
export function dayAt(timezone: string, wallMs: number, age: number, rules: DateRules): Question {
  const wall = new Date(wallMs);
  const year = wall.getUTCFullYear();
  const monthAndDay = isoDate(wallMs).slice(4);
  const birthYear = monthAndDay === '-02-29' ? year - (year > 1912 ? 8 : 4) : year - age;
  return {
    facts: { dateOfBirth: `${birthYear}${monthAndDay}`, timezone },
    year,
    rules: { ...rules, localTime: wall.toISOString().slice(11, 16) },
  };
}

function wallAt(oracle: Oracle, timezone: string, instantMs: number) {
  const wall = new Date(instantMs + oracle.offsetAt(timezone, instantMs)).toISOString();
  return { date: wall.slice(0, 10), time: wall.slice(11, 16) };
}

function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)}, not ${String(expected)}`);
}

function isoDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
