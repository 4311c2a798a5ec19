import { describe, expect, it } from 'vitest';

import { firstOccurrenceAfter } from '../../src/domain/occurrence.ts';
import { bothLaws } from '../support/zone-laws.ts';
import { nineOClockCases, otherTimeCases } from './occurrence-cases.ts';

describe.each([
  ['at 09:00', nineOClockCases, 122],
  ['at other times', otherTimeCases, 14],
])('the agreed cases %s', (_name, cases, count) => {
  it('are all there', () => {
    expect(cases).toHaveLength(count);
  });

  describe.each(bothLaws)('by %s', (_law, law) => {
    it.each(cases)('$dateOfBirth in $timezone at $now, $leapDayPolicy: $note', (given) => {
      const next = firstOccurrenceAfter(given, Date.parse(given.now), { ...given, law });
      expect(next.fireAt).toBe(Date.parse(given.expected));
    });
  });
});
