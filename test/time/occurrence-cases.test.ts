import { describe, expect, it } from 'vitest';

import { bothTzDatabases } from '../support/tz-databases.ts';
import { firstBirthdayAfter } from './birthdays.ts';
import { nineOClockCases, otherTimeCases } from './occurrence-cases.ts';

describe.each([
  ['at 09:00', nineOClockCases, 122],
  ['at other times', otherTimeCases, 14],
])('the agreed cases %s', (_name, cases, count) => {
  it('are complete', () => {
    expect(cases).toHaveLength(count);
  });

  describe.each(bothTzDatabases)('by %s', (_tz, tz) => {
    it.each(cases)('$dateOfBirth in $timezone at $now, $leapDayPolicy: $note', (given) => {
      const next = firstBirthdayAfter(given, Date.parse(given.now), { ...given, tz });
      expect(next.dueAt).toBe(Date.parse(given.expected));
    });
  });
});
