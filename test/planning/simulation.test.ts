// @module-tag long
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createLife } from './life.ts';
import { DAY_MS, HOUR_MS, kinds, lifeOf, movesOf, stepsOf } from './lives.ts';

/** The same lives in each run; a failure prints the life, and the path to it. */
const SEED = 20260520;
const LIVES = 800;

describe('the planning rule, over random lives', () => {
  it.each(kinds)('accounts for everything that falls due, once: $recurrence', (kind) => {
    const anyLife = fc.property(lifeOf(kind), stepsOf(kind), (options, steps) => {
      const life = createLife(options);
      for (const step of steps) life.take(step);
      life.calmDown(2.5 * kind.everyDays * DAY_MS);
      life.checkAll();
    });
    const lives = fc.check(anyLife, { numRuns: LIVES, seed: SEED });
    // The life, its seed and its path.
    expect(fc.defaultReportMessage(lives)).toBeUndefined();
  });

  it.each(kinds.filter(({ everyDays }) => everyDays > 300))(
    'delivers in every year if users only move, and nothing is down: $recurrence',
    (kind) => {
      const anyLife = fc.property(lifeOf(kind), movesOf(kind), (options, steps) => {
        const life = createLife({ ...options, plannerStarts: 'up', lateLimitMs: 48 * HOUR_MS });
        for (const step of steps) life.take(step);
        const settled = [...life.rows().values()].filter(({ state }) => state !== 'PENDING');
        const years = settled.map(({ nominalDate }) => Number(nominalDate.slice(0, 4)));
        const isComplete = years.every((year, index) => year === (years[0] ?? 0) + index);
        return isComplete && settled.every(({ state }) => state === 'COMPLETED');
      });
      const lives = fc.check(anyLife, { numRuns: LIVES, seed: SEED });
      expect(fc.defaultReportMessage(lives)).toBeUndefined();
    },
  );
});
