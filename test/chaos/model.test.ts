import { describe, expect, test } from 'vitest';

import type { Zone } from '../support/instant-zones.ts';
import { expectationOf, type Facts, type Life } from './model.ts';
import { createCalendar } from './plan.ts';

const NOW = Date.parse('2026-05-20T10:00:00Z');
const MINUTE = 60_000;
const plan = createCalendar(NOW).plan(NOW + MINUTE, 10, MINUTE);
const [first = 0, second = 0] = plan.instants;
const { today, over, toCome } = plan.days;
const ENDS = NOW + 60 * MINUTE;

function facts(from: number, zone: Zone, day: string | null = today): Facts {
  return { from, knownAt: from + 20, zone, day: day ?? '' };
}

function expectation(life: readonly Facts[], deletedAt: number | null, deliveredAt: number | null) {
  const deleted = deletedAt === null ? null : { from: deletedAt, knownAt: deletedAt + 20 };
  const whole: Life = { facts: life, deleted };
  return expectationOf(whole, deliveredAt, plan, ENDS);
}

const atFirst = plan.zoneOf(first);
const atSecond = plan.zoneOf(second);
const [past = atFirst] = plan.pastZones;

test('the local time comes in a zone at its instant', () => {
  expect(plan.instantOf(atFirst, today)).toBe(first);
  expect(plan.instantOf(atSecond, today)).toBe(second);
  expect(plan.instantOf(past, today)).toBeLessThan(NOW);
});

describe('who is due', () => {
  test.each([
    ['created before the instant', [facts(NOW, atFirst)], null, null, 'once'],
    ['created after it', [facts(NOW, past)], null, null, 'never'],
    ['due after the end', [facts(NOW, plan.farZone)], null, null, 'never'],
    ['moved on before it', [facts(NOW, atFirst), facts(NOW + 1, atSecond)], null, null, 'once'],
    [
      'moved on in the moment, to after the end',
      [facts(NOW, atFirst), facts(first - 5, plan.farZone)],
      null,
      null,
      'maybe',
    ],
    [
      'moved on before, to after the end',
      [facts(NOW, atFirst), facts(NOW + 1, plan.farZone)],
      null,
      null,
      'never',
    ],
    [
      'moved on in the moment',
      [facts(NOW, atFirst), facts(first - 5, atSecond)],
      null,
      null,
      'once',
    ],
    [
      'moved to where it has passed',
      [facts(NOW, atFirst), facts(NOW + 1, past)],
      null,
      null,
      'once',
    ],
    [
      'created after it, moved to where it comes',
      [facts(NOW, past), facts(NOW + 1, atFirst)],
      null,
      null,
      'once',
    ],
    [
      'created after it, moved to where it has passed',
      [facts(NOW, past), facts(NOW + 1, past)],
      null,
      null,
      'never',
    ],
    [
      'corrected to a day that is over',
      [facts(NOW, atFirst), facts(NOW + 1, atFirst, over)],
      null,
      null,
      'never',
    ],
    [
      'corrected to a day to come',
      [facts(NOW, atFirst), facts(NOW + 1, atFirst, toCome)],
      null,
      null,
      'never',
    ],
    [
      'corrected and back',
      [facts(NOW, atFirst), facts(NOW + 1, atFirst, over), facts(NOW + 2, atFirst)],
      null,
      null,
      'once',
    ],
    [
      'corrected before, and back after it',
      [facts(NOW, atFirst), facts(first - 99, atFirst, over), facts(first + 99, atFirst)],
      null,
      null,
      'maybe',
    ],
    [
      'corrected to a day to come before, and back after it',
      [facts(NOW, atFirst), facts(first - 99, atFirst, toCome), facts(first + 99, atFirst)],
      null,
      null,
      'maybe',
    ],
    [
      'corrected after it to its day, from one that is over',
      [facts(NOW, atFirst, over), facts(first + 99, atFirst)],
      null,
      null,
      'never',
    ],
    [
      'corrected in the moment',
      [facts(NOW, atFirst), facts(first - 5, atFirst, over)],
      null,
      null,
      'maybe',
    ],
    [
      'corrected when it was delivered',
      [facts(NOW, atFirst), facts(first + 99, atFirst, over)],
      null,
      first + 9,
      'once',
    ],
    ['deleted before', [facts(NOW, atFirst)], first - 99, null, 'never'],
    ['deleted in the moment', [facts(NOW, atFirst)], first - 5, null, 'maybe'],
    ['deleted while it was owed', [facts(NOW, atFirst)], first + 99, null, 'maybe'],
    ['deleted when it was delivered', [facts(NOW, atFirst)], first + 99, first + 9, 'once'],
  ] as const)('%s: %5$s', (_, life, deletedAt, deliveredAt, expected) => {
    expect(expectation(life, deletedAt, deliveredAt)).toBe(expected);
  });
});
