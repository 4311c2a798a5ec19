import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createLife } from './life.ts';
import { DAY_MS, kinds, lifeOf, stepsOf } from './lives.ts';

/** The same lives at each run; a failure prints the life, and the path to it. */
const SEED = 20260520;
const LIVES = 1500;

describe('the planning rule, over random lives', () => {
  it.each(kinds)('accounts for all that falls due, once: $recurrence', (kind) => {
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
});
