import { expect, test } from 'vitest';

import { daysToAudit } from './watch.ts';

test.each([
  ['when the day before is over everywhere', '2026-11-25T12:00Z', ['2026-11-24', '2026-11-25']],
  [
    'when it is not, where clocks are last',
    '2026-11-25T11:59Z',
    ['2026-11-23', '2026-11-24', '2026-11-25'],
  ],
  ['at the end of the year', '2026-12-31T23:59Z', ['2026-12-30', '2026-12-31']],
  ['at the beginning', '2027-01-01T00:00Z', ['2026-12-30', '2026-12-31', '2027-01-01']],
])('the last day that is over, and those since, are audited: %s', (_when, now, days) => {
  expect(daysToAudit(Date.parse(now))).toEqual(days);
});
