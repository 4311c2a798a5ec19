/** The arithmetic of Temporal Cloud's prices, checked with the examples of its documentation. */
import { expect, test } from 'vitest';

import { cloudCost } from '../../bench/million/cloud-cost.ts';

const NOTHING = {
  users: 0,
  firstYear: 0,
  laterYear: 0,
  installationMonth: 0,
  bytesPerUser: 0,
};

test('the Business plan charges Actions beyond its own by volume, and at least 500 dollars', () => {
  const { businessDollars } = cloudCost(
    { ...NOTHING, installationMonth: 11.25e6 + 2.5e6 },
    'laterYear',
  );
  expect(businessDollars).toBeCloseTo(525 + 500);
});

test("a month has a twelfth of a year's Actions, and history is charged by the hour", () => {
  const use = { ...NOTHING, users: 1_200, firstYear: 3, laterYear: 2, installationMonth: 100 };
  expect(cloudCost(use, 'firstYear').actions).toBe(400);
  expect(cloudCost(use, 'laterYear').actions).toBe(300);

  const stored = cloudCost({ ...NOTHING, users: 1_000_000, bytesPerUser: 1_000 }, 'laterYear');
  expect(stored.activeGbHours).toBeCloseTo(730);
  expect(stored.usageDollars).toBeCloseTo(30.66);
  expect(stored.developerDollars).toBeCloseTo(33.73);
});
