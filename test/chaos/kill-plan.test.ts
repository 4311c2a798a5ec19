import { describe, expect, test } from 'vitest';

import {
  demandOf,
  isInHerd,
  NEAR_MS,
  planKills,
  planOutages,
  shortfallsOf,
  targetsOf,
  type Kill,
} from './kill-plan.ts';
import { createRandom } from './random.ts';

const MINUTE = 60_000;
const FROM = Date.parse('2026-05-20T10:00:00Z');
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

const ALONE = targetsOf(1);
const CLUSTER = targetsOf(2);

function plan(seed: number, kills = 40, minutes = 10, targets = ALONE) {
  const instants = Array.from({ length: minutes }, (_, index) => FROM + (index + 1) * MINUTE);
  const until = (instants.at(-1) ?? FROM) + NEAR_MS;
  const draw = createRandom(seed, 'kills');
  return { instants, kills: planKills({ targets, kills, instants, from: FROM, until, draw }) };
}

/** As if every herd existed, and nothing delayed it. */
function done(seed: number, herd = 250, targets = ALONE): Kill[] {
  return plan(seed, 40, 10, targets).kills.map(({ at, target, aimedAt }) => ({
    target,
    herd: target.startsWith('dispatcher') ? herd : null,
    afterInstantMs: at - (aimedAt ?? at - MINUTE / 2),
  }));
}

const FULL = demandOf(40, 2_700, 10, ALONE);

describe('the kills of a run', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(plan(3)).toEqual(plan(3));
    expect(plan(3)).not.toEqual(plan(4));
  });

  test.each(SEEDS)('seed %i: as many as requested, enough of each target and in herds', (seed) => {
    const { kills } = plan(seed);
    expect(kills).toHaveLength(40);
    expect(kills.map(({ at }) => at)).toEqual(kills.map(({ at }) => at).toSorted());
    expect(shortfallsOf(FULL, done(seed), 2_100, ALONE)).toEqual([]);
    expect(done(seed).filter(isInHerd)).toHaveLength(10);
  });

  test.each(SEEDS)(
    'seed %i: are aimed at instants with herds, a dispatcher once at each',
    (seed) => {
      const { instants, kills } = plan(seed);
      const aimed = kills.filter(({ aimedAt }) => aimedAt !== null);
      for (const { at, aimedAt, target } of aimed) {
        expect(instants.slice(3)).toContain(aimedAt);
        expect(at - (aimedAt ?? 0)).toBeGreaterThanOrEqual(0);
        expect(at - (aimedAt ?? 0)).toBeLessThan(1_000);
        expect(target).toMatch(/^dispatcher-[12]$/);
      }
      const places = aimed.map(({ aimedAt, target }) => `${aimedAt} ${target}`);
      expect(new Set(places).size).toBe(places.length);
    },
  );

  test('of a Temporal cluster, each service is killed as often as other processes', () => {
    expect(Object.keys(CLUSTER)).toEqual([
      'api',
      'worker',
      'dispatcher',
      'scheduler',
      'temporal-frontend',
      'temporal-history',
      'temporal-matching',
      'temporal-worker',
      'postgres',
    ]);
    const demand = demandOf(40, 2_700, 10, CLUSTER);
    expect(demand.killsEach).toBe(3);
    expect(shortfallsOf(demand, done(1, 250, CLUSTER), 2_100, CLUSTER)).toEqual([]);
    const killed = new Set(
      SEEDS.flatMap((seed) => done(seed, 250, CLUSTER)).map((one) => one.target),
    );
    expect(killed).toContain('temporal-history-1');
    expect(killed).toContain('temporal-history-2');
  });

  test('aimed at one instant twice, both dispatchers are killed at it', () => {
    for (const minutes of [1, 2, 3, 4, 5, 10]) {
      const aimed = plan(1, 40, minutes).kills.filter(({ aimedAt }) => aimedAt !== null);
      for (const atOne of Map.groupBy(aimed, ({ aimedAt }) => aimedAt).values()) {
        expect(new Set(atOne.map(({ target }) => target)).size).toBe(atOne.length);
      }
    }
  });
});

test('a long run has all dispatchers down, Temporal down, and a dispatcher suspended, each over an instant', () => {
  const { instants } = plan(1);
  const outages = planOutages(instants, 1);
  expect(outages.map(({ kind, targets }) => `${kind} ${targets.join(' ')}`)).toEqual([
    'kill dispatcher-1 dispatcher-2',
    'kill temporal',
    'suspend dispatcher-1',
  ]);
  for (const { at, lastsMs } of outages) {
    expect(instants.some((instant) => Math.abs(at - instant) < lastsMs)).toBe(true);
  }
  expect(planOutages(instants.slice(0, 3), 1)).toEqual([]);
});

test('a long run on a Temporal cluster has one node of each kind down, one at a time, over an instant', () => {
  const { instants } = plan(1);
  const nodes = planOutages(instants, 2).slice(1, -1);
  expect(nodes.map(({ kind, targets }) => `${kind} ${targets.join(' ')}`)).toEqual([
    'kill temporal-frontend-1',
    'kill temporal-history-1',
    'kill temporal-matching-1',
  ]);
  let free = 0;
  for (const { at, lastsMs } of nodes) {
    expect(at).toBeGreaterThan(free);
    expect(instants.some((instant) => at < instant && instant < at + lastsMs)).toBe(true);
    free = at + lastsMs;
  }
});

describe('what a run has to achieve', () => {
  test('is, in full: each target 5 times, 5 dispatchers in herds, 2,000 due users', () => {
    expect(FULL).toEqual({ killsEach: 5, killsInHerds: 5, due: 2_025 });
  });

  test('is less for a small one, and no herds if there can be none', () => {
    expect(demandOf(7, 60, 3, ALONE)).toEqual({ killsEach: 1, killsInHerds: 0, due: 45 });
    expect(demandOf(20, 1_500, 5, ALONE)).toEqual({ killsEach: 2, killsInHerds: 3, due: 1_125 });
  });

  test('does not include herds that were too small, or were over', () => {
    expect(shortfallsOf(FULL, done(1, 100), 2_100, ALONE)).toEqual([
      'dispatchers: killed 0 times in a herd of over 100, not 5',
    ]);
    const late = done(1).map(({ target, herd }) => ({
      target,
      herd,
      afterInstantMs: NEAR_MS + 1,
    }));
    expect(shortfallsOf(FULL, late, 2_100, ALONE)).toHaveLength(1);
  });

  test('is reported if there are too few kills of a target, or too few users', () => {
    const spared = done(1).filter(({ target }) => target !== 'postgres');
    expect(shortfallsOf(FULL, spared, 1_999, ALONE)).toEqual([
      'postgres: killed 0 times, not 5',
      'users: 1999 were due, not 2025',
    ]);
  });
});
