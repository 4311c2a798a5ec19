import { expect, test } from 'vitest';

import {
  decideOwner,
  type DestinationAllowance,
  type DispatcherStamp,
  type DueRow,
  type Owner,
} from './ownership.ts';

const NINE = Date.UTC(2026, 4, 20, 9);
const SECOND = 1_000;
const MINUTE = 60_000;
const DAY = 86_400_000;

const dispatchers = 'dispatchers';
const workflow = 'workflow';

interface Case {
  /** Ms after the due instant. */
  readonly at: number;
  readonly row?: Partial<DueRow>;
  readonly alive?: readonly DispatcherStamp[];
  readonly destination?: Partial<DestinationAllowance>;
  readonly owner: Owner;
}

/** A dispatcher by when it last stamped and last came back short, in ms after the due instant. */
function stamp(stampedAt: number, shortAt: number | null = null): DispatcherStamp {
  return { stampedAt: NINE + stampedAt, shortAt: shortAt === null ? null : NINE + shortAt };
}

const CASES: Readonly<Record<string, Case>> = {
  'dispatchers alive and in time': {
    at: 10 * SECOND,
    alive: [stamp(9_500, 9_500)],
    owner: dispatchers,
  },
  'dispatchers alive and behind: every claim came back full': {
    at: 5 * MINUTE,
    alive: [stamp(5 * MINUTE - 200, -SECOND)],
    owner: dispatchers,
  },
  'a backlog after a day: dispatchers that have been back for a minute take what there is': {
    at: DAY,
    alive: [stamp(DAY - 500, null)],
    owner: dispatchers,
  },
  'no free slot: a dispatcher that is full stamps, and claims nothing': {
    at: 2 * MINUTE,
    alive: [stamp(2 * MINUTE - 900)],
    owner: dispatchers,
  },
  'dead at the instant': { at: 10 * SECOND, alive: [stamp(0, 0)], owner: workflow },
  'dead 3 s after it, seen too early': {
    at: 7 * SECOND,
    alive: [stamp(3 * SECOND, 3 * SECOND)],
    owner: dispatchers,
  },
  'dead 3 s after it': {
    at: 10 * SECOND,
    alive: [stamp(3 * SECOND, 3 * SECOND)],
    owner: workflow,
  },
  'dead for exactly 5 s': { at: 10 * SECOND, alive: [stamp(5 * SECOND)], owner: workflow },
  'one of two is alive': {
    at: 10 * SECOND,
    alive: [stamp(0), stamp(9 * SECOND)],
    owner: dispatchers,
  },
  'none at all': { at: 0, owner: workflow },
  'a stamp from the future': { at: 10 * SECOND, alive: [stamp(11 * SECOND)], owner: workflow },
  'a stamp of this very moment': {
    at: 10 * SECOND,
    alive: [stamp(10 * SECOND)],
    owner: dispatchers,
  },
  'alive, and passes the row over for a minute, with a short round since': {
    at: 61 * SECOND,
    alive: [stamp(60_500, 60_200)],
    owner: workflow,
  },
  'alive, and passes it over for less than a minute': {
    at: 59 * SECOND,
    alive: [stamp(58_900, 58_900)],
    owner: dispatchers,
  },
  'claimable for a minute, the last short round before that': {
    at: 90 * SECOND,
    alive: [stamp(89_900, 30 * SECOND)],
    owner: dispatchers,
  },
  'a short round from the future': {
    at: 90 * SECOND,
    alive: [stamp(89_900, 91 * SECOND)],
    owner: dispatchers,
  },
  'a short round, but of a dispatcher that is dead now': {
    at: 90 * SECOND,
    alive: [stamp(70 * SECOND, 70 * SECOND), stamp(89_900)],
    owner: dispatchers,
  },
  'passed over for a minute since the end of a stop': {
    at: 90 * SECOND,
    alive: [stamp(89_900, 89_900)],
    destination: { stoppedUntil: NINE + 40 * SECOND },
    owner: dispatchers,
  },
  'leased, by whichever process': {
    at: 10 * SECOND,
    row: { nextAttemptAt: NINE + 25 * SECOND, leaseUntil: NINE + 25 * SECOND },
    owner: 'leased',
  },
  'leased, and dispatchers dead': {
    at: 24 * SECOND,
    row: { nextAttemptAt: NINE + 25 * SECOND, leaseUntil: NINE + 25 * SECOND },
    alive: [stamp(0)],
    owner: 'leased',
  },
  'a lease that has expired, dispatchers dead': {
    at: 25 * SECOND,
    row: { nextAttemptAt: NINE + 25 * SECOND, leaseUntil: NINE + 25 * SECOND },
    alive: [stamp(0)],
    owner: workflow,
  },
  'a lease that has expired, another dispatcher alive': {
    at: 25 * SECOND,
    row: { nextAttemptAt: NINE + 25 * SECOND, leaseUntil: NINE + 25 * SECOND },
    alive: [stamp(24 * SECOND)],
    owner: dispatchers,
  },
  'before its next attempt': {
    at: 10 * SECOND,
    row: { nextAttemptAt: NINE + 14 * SECOND },
    owner: 'early',
  },
  'before its instant': { at: -1, owner: 'early' },
  'waiting for its plan': {
    at: 10 * SECOND,
    row: { nextAttemptAt: null },
    alive: [stamp(9 * SECOND)],
    owner: 'planner',
  },
  'a paused destination': {
    at: 10 * SECOND,
    destination: { isPaused: true },
    owner: 'paused',
  },
  'a destination that asked for a stop': {
    at: 10 * SECOND,
    destination: { stoppedUntil: NINE + 12 * SECOND },
    owner: 'stopped',
  },
  'a stop that is over': {
    at: 12 * SECOND,
    destination: { stoppedUntil: NINE + 12 * SECOND },
    owner: workflow,
  },
  'rate limited, 1 a second and 10,000 due, dispatchers alive': {
    at: 20 * MINUTE,
    alive: [stamp(20 * MINUTE - 300, -MINUTE)],
    destination: { available: 0.4 },
    owner: 'rate_limited',
  },
  'rate limited, with something left, dispatchers alive': {
    at: 20 * MINUTE,
    alive: [stamp(20 * MINUTE - 300, -MINUTE)],
    destination: { available: 1 },
    owner: dispatchers,
  },
  'rate limited, with something left, dispatchers dead': {
    at: 20 * MINUTE,
    destination: { available: 1 },
    owner: workflow,
  },
};

test.each(Object.entries(CASES))(
  '%s',
  (_, { at, row = {}, alive = [], destination = {}, owner }) => {
    const due = { nextAttemptAt: NINE, leaseUntil: null, ...row };
    const allowance = { isPaused: false, stoppedUntil: null, available: Infinity, ...destination };
    expect(decideOwner(due, alive, allowance, NINE + at)).toEqual(owner);
  },
);
