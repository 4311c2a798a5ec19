import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { occurrenceInYear } from '../../src/domain/occurrence.ts';
import type { DateRules } from '../../src/domain/rules.ts';
import { bundledLaw } from '../support/zone-laws.ts';
import { isToCome } from './planning-checks.ts';
import { createWorld, type Step, type World } from './planning-world.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const YEAR_MS = 365.25 * DAY_MS;

/** From the first to the last day on earth, with a day that was skipped and clocks that change. */
const timezone = fc.constantFrom(
  'Pacific/Kiritimati',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Asia/Tokyo',
  'Europe/London',
  'America/New_York',
  'Pacific/Pago_Pago',
  'Etc/GMT+12',
);
/** Around New Year, around leap days, and in between; some in the very years that are played. */
const dateOfBirth = fc
  .tuple(
    fc.constantFrom(1980, 1992, 2012),
    fc.constantFrom(
      '01-01',
      '01-02',
      '12-30',
      '12-31',
      '02-28',
      '02-29',
      '03-01',
      '05-20',
      '12-01',
    ),
  )
  .map(([year, day]) => `${year}-${day}`);
const rules: fc.Arbitrary<DateRules> = fc.record({
  leapDayPolicy: fc.constantFrom('feb28' as const, 'mar1' as const),
  localTime: fc.constantFrom('09:00', '00:00', '23:30'),
  law: fc.constant(bundledLaw),
});
const start = fc.integer({ min: Date.UTC(2011, 11, 25), max: Date.UTC(2026, 0, 1) });

const wait: fc.Arbitrary<Step> = fc
  .oneof(fc.integer({ min: 1, max: 3 * DAY_MS }), fc.integer({ min: 0, max: 500 * DAY_MS }))
  .map((ms) => ({ do: 'wait', ms }));
const waitForNext: fc.Arbitrary<Step> = fc
  .oneof(
    fc.constantFrom(-1, 0, 1, -MINUTE_MS, MINUTE_MS),
    fc.integer({ min: -2 * DAY_MS, max: 4 * DAY_MS }),
  )
  .map((ms) => ({ do: 'waitForNext', ms }));
const move: fc.Arbitrary<Step> = timezone.map((timezone) => ({ do: 'move', timezone }));
const correct: fc.Arbitrary<Step> = dateOfBirth.map((dateOfBirth) => ({
  do: 'correct',
  dateOfBirth,
}));
const rule: fc.Arbitrary<Step> = rules.map((rules) => ({ do: 'rule', rules }));
const receiver: fc.Arbitrary<Step> = fc
  .constantFrom('yes' as const, 'not now' as const, 'never' as const)
  .map((answers) => ({ do: 'receiver', answers }));
const other: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom<Step>({ do: 'goDown' }, { do: 'comeUp' }),
  receiver,
);

describe('the planning rule, over the years of any user', () => {
  it('never plans a settled year, sends early, burns a year or changes its mind', () => {
    const steps = fc.array(fc.oneof(wait, waitForNext, move, correct, rule, other), {
      maxLength: 30,
    });
    const anyLife = fc.property(
      dateOfBirth,
      timezone,
      rules,
      start,
      steps,
      (born, zone, rules, now, steps) => {
        const world = createWorld(born, zone, rules, now);
        for (const step of steps) world.take(step);
        const quietFrom = settleDown(world);

        // Nothing changes any more and all is up: every year is greeted, each once.
        world.take({ do: 'wait', ms: 3 * YEAR_MS });
        const years = yearsBetween(world, quietFrom, world.now());
        expect(years.length).toBeGreaterThanOrEqual(1);
        const states = years.map((year) => world.settled().get(year)?.state);
        expect(states).toEqual(years.map(() => 'COMPLETED'));
      },
    );
    fc.assert(anyLife, { numRuns: 1500 });
  });

  it('greets someone who only ever moves, and is never down, in every year from the first', () => {
    const steps = fc.array(fc.oneof(wait, waitForNext, move, rule), { maxLength: 30 });
    const anyLife = fc.property(
      dateOfBirth,
      timezone,
      rules,
      start,
      steps,
      (born, zone, rules, now, steps) => {
        const world = createWorld(born, zone, rules, now);
        for (const step of steps) world.take(step);
        const years = [...world.settled().keys()];
        const [first = 0] = years;
        expect(years).toEqual(years.map((_, index) => first + index));
        expect([...world.settled().values()].every(({ state }) => state === 'COMPLETED')).toBe(
          true,
        );
      },
    );
    fc.assert(anyLife, { numRuns: 500 });
  });

  it('comes to the same when several changes are planned at once, later, as when each is planned', () => {
    const anyLife = fc.property(
      dateOfBirth,
      timezone,
      rules,
      start,
      fc.option(fc.array(fc.oneof(wait, waitForNext, move, correct, receiver), { maxLength: 8 })),
      fc.array(fc.oneof(wait, waitForNext, move, correct), { maxLength: 8 }),
      (born, zone, rules, now, before, meanwhile) => {
        const startsDown = before === null;
        const prompt = createWorld(born, zone, rules, now, { startsDown, plansWhileDown: true });
        const late = createWorld(born, zone, rules, now, { startsDown });
        const takeBoth = (step: Step): void => {
          const from = prompt.now();
          prompt.take(step);
          late.take(step.do === 'waitForNext' ? { do: 'wait', ms: prompt.now() - from } : step);
        };
        for (const step of before ?? []) takeBoth(step);
        takeBoth({ do: 'goDown' });
        for (const step of meanwhile) {
          takeBoth(step);
          // That one is burned by the record, which was not made if nobody planned.
          if (hasSkippedWhatIsToCome(prompt)) return;
        }
        takeBoth({ do: 'comeUp' });
        expect(late.settled()).toEqual(prompt.settled());
        expect(late.open()).toEqual(prompt.open());
      },
    );
    fc.assert(anyLife, { numRuns: 1000 });
  });
});

/** Brings all up and lets what is due happen; gives the instant from which nothing disturbs. */
function settleDown(world: World): number {
  world.take({ do: 'receiver', answers: 'yes' });
  world.take({ do: 'comeUp' });
  world.take({ do: 'wait', ms: DAY_MS });
  return world.now();
}

/** Whether a year that was recorded as too late has its day before it again, after a change. */
function hasSkippedWhatIsToCome(world: World): boolean {
  const input = { facts: world.facts(), now: world.now(), rules: world.rules() };
  return [...world.settled()].some(
    ([year, { state }]) => state === 'SKIPPED' && isToCome(year, input),
  );
}

/** The nominal years whose instant falls into a period and that nothing had settled before it. */
function yearsBetween(world: World, from: number, until: number): number[] {
  const firstYear = new Date(from).getUTCFullYear() - 1;
  return Array.from({ length: 6 }, (_, index) => firstYear + index).filter((year) => {
    if (year <= Number(world.facts().dateOfBirth.slice(0, 4))) return false;
    const { fireAt } = occurrenceInYear(world.facts(), year, world.rules());
    const settled = world.settled().get(year);
    const isBefore = settled !== undefined && (settled.fireAt ?? -Infinity) <= from;
    return fireAt > from && fireAt <= until && !isBefore;
  });
}
