import { describe, expect, test } from 'vitest';

import { type Answer, backpressureOf } from './backpressure.ts';

/** Answers evenly spread over `spanMs`: first those served, then the refusals. */
function answers(served: number, refusals: (number | null)[], spanMs = 1000): Answer[] {
  const count = served + refusals.length;
  const one = (refused: boolean, retryAfterMs: number | null, index: number): Answer => ({
    startedAt: (index * spanMs) / count,
    endedAt: ((index + 1) * spanMs) / count,
    refused,
    retryAfterMs,
  });
  return [
    ...Array.from({ length: served }, (_, index) => one(false, null, index)),
    ...refusals.map((retryAfterMs, index) => one(true, retryAfterMs, served + index)),
  ];
}

const times = (count: number): null[] => Array.from({ length: count }, () => null);

describe('a slow-down is asked for', () => {
  test.each([
    ['no refusal', 100, 0, null],
    ['a single refusal in a hundred', 99, 1, null],
    ['fewer than one refusal in twenty', 96, 4, null],
    ['one in twenty', 95, 5, 'less'],
    ['one in ten', 90, 10, 'less'],
    ['one in ten of too few to tell', 27, 3, null],
    ['nearly half', 51, 49, 'less'],
    ['half', 50, 50, 'stop'],
    ['half of ten', 5, 5, 'stop'],
    ['nothing but refusals', 0, 100, 'stop'],
  ])('%s', (_, served, refused, asks) => {
    expect(backpressureOf(answers(served, times(refused)), 20)?.asks ?? null).toBe(asks);
  });

  test('not by the first unlucky responses of a herd, as long as others are to come', () => {
    expect(backpressureOf(answers(1, times(2)), 61)).toBeNull();
    expect(backpressureOf(answers(0, times(9)), 1)).toBeNull();
  });

  test('by a single refusal, if no other response is to come', () => {
    expect(backpressureOf(answers(0, [null]), 0)).toEqual({ asks: 'stop', retryAfterMs: null });
  });

  test('for the shortest time that any of the refusals names', () => {
    const asked = backpressureOf(answers(0, [null, 30_000, 20_000, null]), 0);
    expect(asked).toEqual({ asks: 'stop', retryAfterMs: 20_000 });
  });

  test('by the rate of these answers', () => {
    const asked = backpressureOf(answers(90, times(10), 500), 20);
    expect(asked).toEqual({ asks: 'less', perSecond: 200 });
  });

  test('by the rate of the last second, if there are more', () => {
    const asked = backpressureOf(answers(90, times(10), 4000), 20);
    expect(asked).toEqual({ asks: 'less', perSecond: 25 });
  });

  test('by a finite rate, even if all responses came at once', () => {
    const asked = backpressureOf(answers(90, times(10), 0), 20);
    expect(asked).toEqual({ asks: 'less', perSecond: 10_000 });
  });
});
