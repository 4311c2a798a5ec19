/** Random lives: what happens in them, and where and when. */
import fc from 'fast-check';

import type { Recurrence } from '../../src/time/recurrence.ts';
import type { Change, Inputs, LifeOptions, Step } from './life.ts';
import { type Rule, RULES } from './truth.ts';

const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** From the first to the last day on earth, with a day that was skipped and clocks that change. */
const ZONES = [
  'Pacific/Kiritimati',
  'Pacific/Apia',
  'Asia/Tokyo',
  'Europe/London',
  'America/New_York',
  'Pacific/Pago_Pago',
];

export interface Kind {
  readonly recurrence: Recurrence;
  /** Days between two occurrences. */
  readonly everyDays: number;
  /** Dates that it may be corrected to. */
  readonly dates: readonly string[];
}

const YEAR_DAYS = [
  '01-01',
  '01-02',
  '12-30',
  '12-31',
  '02-28',
  '02-29',
  '03-01',
  '05-20',
  '05-21',
  '12-01',
  '11-20',
  '03-10',
];
const WINDOWS = ['2011-12-25', '2016-02-20', '2023-10-27', '2024-02-25', '2026-12-28'];

export const kinds: readonly Kind[] = [
  {
    recurrence: 'birthday',
    everyDays: 365,
    dates: [1992, 2012].flatMap((year) => YEAR_DAYS.map((day) => `${year}-${day}`)),
  },
  {
    recurrence: 'yearly',
    everyDays: 365,
    dates: [1992, 2012].flatMap((year) => YEAR_DAYS.map((day) => `${year}-${day}`)),
  },
  {
    recurrence: 'monthly',
    everyDays: 30,
    dates: ['2008-01-01', '2008-01-28', '2008-02-29', '2008-01-30', '2008-01-31', '2024-05-15'],
  },
  {
    recurrence: 'weekly',
    everyDays: 7,
    dates: ['2008-01-01', '2008-01-02', '2008-01-05', '2024-03-01', '2026-12-31'],
  },
  {
    recurrence: 'daily',
    everyDays: 1,
    dates: ['2008-01-01', '2012-01-02', '2024-02-29', '2027-01-01', '2023-11-01'],
  },
  {
    recurrence: 'rrule',
    everyDays: 14,
    dates: ['2008-01-01', '2012-01-02', '2023-10-31', '2024-02-26', '2026-12-31'],
  },
  {
    recurrence: 'once',
    everyDays: 3,
    dates: WINDOWS.flatMap((day) =>
      [0, 1, 2, 4, 9].map((days) => dayOf(Date.parse(day) + days * DAY_MS)),
    ),
  },
];

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

const zone = fc.constantFrom(...ZONES);
const localTime = fc.constantFrom('09:00', '00:00', '23:30');
const leapDayPolicy = fc.constantFrom('feb28' as const, 'mar1' as const);

/** Days before the day itself on which it is due. */
const offsetDays = fc.constantFrom(0, 0, 0, 1, 7, 40);

function inputsOf({ recurrence, dates }: Kind): fc.Arbitrary<Inputs> {
  return fc.record({
    date: fc.constantFrom(...dates),
    recurrence: fc.constant(recurrence),
    rrule: recurrence === 'rrule' ? rrule : fc.constant(null),
    timezone: zone,
    localTime,
    leapDayPolicy,
    offsetDays,
    suspended: fc.constant(false),
  });
}

function move(): fc.Arbitrary<Change> {
  return fc.oneof(
    { arbitrary: zone.map((timezone) => ({ timezone })), weight: 4 },
    { arbitrary: localTime.map((localTime) => ({ localTime })), weight: 2 },
    { arbitrary: leapDayPolicy.map((leapDayPolicy) => ({ leapDayPolicy })), weight: 1 },
  );
}

function anyChange({ dates, everyDays }: Kind): fc.Arbitrary<Change> {
  const date = fc.constantFrom(...dates).map((date) => ({ date }));
  return fc.oneof(
    { arbitrary: move(), weight: 5 },
    { arbitrary: date, weight: 4 },
    { arbitrary: offsetDays.map((offsetDays) => ({ offsetDays })), weight: 2 },
    { arbitrary: fc.boolean().map((suspended) => ({ suspended })), weight: 2 },
    { arbitrary: fc.constant({ timezone: 'Mars/Olympus_Mons' }), weight: 1 },
    // Years of daily ones would take too long.
    ...(everyDays > 300 ? [] : [{ arbitrary: recurs, weight: 1 }]),
    {
      arbitrary: fc.tuple(date, move()).map(([date, move]) => Object.assign({}, date, move)),
      weight: 1,
    },
  );
}

const rrule = fc.constantFrom(...(Object.keys(RULES) as Rule[]));

const recurs: fc.Arbitrary<Change> = fc.oneof(
  {
    arbitrary: fc
      .constantFrom<Recurrence>('once', 'daily', 'weekly', 'monthly', 'yearly')
      .map((recurrence) => ({ recurrence, rrule: null })),
    weight: 3,
  },
  { arbitrary: rrule.map((rrule) => ({ recurrence: 'rrule' as const, rrule })), weight: 1 },
);

function change(of: fc.Arbitrary<Change>): fc.Arbitrary<Step> {
  return fc
    .oneof(
      { arbitrary: fc.array(of, { minLength: 1, maxLength: 1 }), weight: 5 },
      { arbitrary: fc.array(of, { minLength: 2, maxLength: 3 }), weight: 1 },
    )
    .map((changes) => ({ do: 'change', changes }));
}

function wait({ everyDays }: Kind): fc.Arbitrary<Step> {
  return fc
    .oneof(
      fc.integer({ min: 1, max: 3 * DAY_MS }),
      fc.integer({ min: 0, max: Math.round(1.4 * everyDays * DAY_MS) }),
    )
    .map((ms) => ({ do: 'wait', ms }));
}

const waitForNext: fc.Arbitrary<Step> = fc
  .oneof(
    fc.constantFrom(-1, 0, 1, -MINUTE_MS, MINUTE_MS, -HOUR_MS, HOUR_MS),
    fc.integer({ min: -30 * HOUR_MS, max: 75 * HOUR_MS }),
  )
  .map((ms) => ({ do: 'waitForNext', ms }));

const operations: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('sender' as const, 'planner' as const),
    is: fc.constantFrom('up' as const, 'away' as const),
  }),
  fc.record({
    do: fc.constant('planDelay' as const),
    ms: fc.constantFrom(0, 1000, MINUTE_MS, 7 * HOUR_MS, 60 * HOUR_MS),
  }),
  fc.record({
    do: fc.constant('planBlindness' as const),
    ms: fc.constantFrom(0, 0, 1, 2000, 3 * HOUR_MS),
  }),
  fc.record({
    do: fc.constant('receiver' as const),
    answers: fc.constantFrom('yes' as const, 'not now' as const, 'never' as const),
    afterMs: fc.constantFrom(0, 0, 5000, 3 * HOUR_MS),
  }),
);

export function lifeOf(kind: Kind): fc.Arbitrary<LifeOptions> {
  return fc.record({
    type: fc.constant(kind.recurrence === 'birthday' ? 'birthday' : 'reminder'),
    createdAt: fc
      .tuple(fc.constantFrom(...WINDOWS), fc.integer({ min: 0, max: 10 * DAY_MS }))
      .map(([day, ms]) => Date.parse(day) + ms),
    inputs: inputsOf(kind),
    lateLimitMs: fc.constantFrom(48 * HOUR_MS, 12 * HOUR_MS, HOUR_MS),
    giveUpAfterMs: fc.constantFrom(72 * HOUR_MS, 11 * HOUR_MS),
    plannerStarts: fc.constantFrom('up' as const, 'away' as const),
    longestWaitMs: fc.constant(Math.max(20, 3 * kind.everyDays) * DAY_MS),
  });
}

/** All that can happen in a life. */
export function stepsOf(kind: Kind): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.oneof(
      { arbitrary: wait(kind), weight: 12 },
      { arbitrary: waitForNext, weight: 15 },
      { arbitrary: change(anyChange(kind)), weight: 18 },
      { arbitrary: operations, weight: 12 },
      { arbitrary: fc.constant<Step>({ do: 'delete' }), weight: 1 },
    ),
    { maxLength: 25, size: 'max' },
  );
}

/** A life without downtime, in which a user only ever moves, and times and policies change. */
export function movesOf(kind: Kind): fc.Arbitrary<Step[]> {
  return fc.array(fc.oneof(wait(kind), waitForNext, change(move())), {
    maxLength: 25,
    size: 'max',
  });
}
