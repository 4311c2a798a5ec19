import { expect, test } from 'vitest';

import { restAfter, type Planned } from './rest.ts';

const HOUR = 3_600_000;
const FIRE_AT = Date.UTC(2027, 4, 20, 13);
const PLAN: Planned = {
  kind: 'planned',
  occurrenceKey: 'birthday:u1:2027',
  timezone: 'America/New_York',
  tzVersion: '2026c',
  fireAt: FIRE_AT,
  armAt: FIRE_AT - 60_000,
  recheckAt: FIRE_AT - 48 * HOUR,
};

test('a plan that is to be checked is slept on until then', () => {
  expect(restAfter(PLAN, FIRE_AT - 100 * HOUR)).toMatchObject({
    until: PLAN.recheckAt,
    delivers: null,
    waitingFor: 'recheck',
  });
});

test.each([
  ['was made late enough', { ...PLAN, recheckAt: null }, FIRE_AT - HOUR],
  ['is past its check', PLAN, FIRE_AT - HOUR],
  ['is armed before its check', { ...PLAN, armAt: FIRE_AT - 50 * HOUR }, FIRE_AT - 100 * HOUR],
])('a plan that %s is slept on until it is armed, and then delivered', (_why, plan, now) => {
  expect(restAfter(plan, now)).toMatchObject({
    until: plan.armAt,
    delivers: plan,
    waitingFor: 'arming',
  });
});

test('an occurrence that is on the wire for somebody else is looked at again shortly', () => {
  const rest = restAfter({ kind: 'sending', occurrenceKey: 'birthday:u1:2027' }, FIRE_AT);
  expect(rest).toMatchObject({ until: FIRE_AT + 20_000, delivers: null, waitingFor: 'delivery' });
});

test('what cannot be planned waits for a change, and a day at most', () => {
  const rest = restAfter({ kind: 'blocked', reason: 'unknown zone Mars/Olympus' }, FIRE_AT);
  expect(rest).toMatchObject({ until: FIRE_AT + 24 * HOUR, delivers: null, waitingFor: 'change' });
  expect(rest.details).toContain('unknown zone Mars/Olympus');
});
