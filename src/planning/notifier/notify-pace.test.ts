import { expect, test } from 'vitest';

import { type Answering, createNotifyPace } from './notify-pace.ts';

/** A server that takes this many calls a second, and a database, in simulated time. */
function simulate() {
  let now = 0;
  const pace = createNotifyPace(() => now);
  const world = { capacity: 250, databaseMs: 0.5 };
  /** Calls are made at the pace for this long; returns how many there were. */
  const run = (seconds: number): number => {
    const until = now + seconds * 1_000;
    let calls = 0;
    for (; now < until; calls += 1) {
      now += 1_000 / pace.perSecond();
      // A queue grows in front of a server with little capacity to spare.
      const load = Math.min(pace.perSecond() / world.capacity, 0.99);
      answered('temporal', 4 / (1 - load));
      answered('database', world.databaseMs);
    }
    return calls;
  };
  const answered = (by: Answering, ms: number) => pace.answered(by, ms);
  return { pace, world, run };
}

test('it reaches about what Temporal can take within seconds, and stays there', () => {
  const { pace, run } = simulate();
  run(5);
  for (let seconds = 0; seconds < 60; seconds += 1) {
    run(1);
    expect(pace.perSecond()).toBeGreaterThan(100);
    expect(pace.perSecond()).toBeLessThan(300);
  }
});

test('a server of twice the size is notified about twice as fast', () => {
  const [one, two] = [simulate(), simulate()];
  two.world.capacity *= 2;
  one.run(10);
  two.run(10);
  expect(two.run(60) / one.run(60)).toBeGreaterThan(1.6);
});

test('it almost stops while others keep the database busy, and continues when they are done', () => {
  const { pace, world, run } = simulate();
  run(10);
  const before = run(10);

  world.databaseMs = 20;
  run(5);
  expect(run(10)).toBeLessThan(before / 20);

  world.databaseMs = 0.5;
  run(10);
  expect(pace.perSecond()).toBeGreaterThan(100);
  expect(run(10)).toBeGreaterThan(before * 0.8);
});

test('a permanent slowness is accepted: after some minutes it no longer slows down', () => {
  const { pace, world, run } = simulate();
  run(10);
  world.databaseMs = 20;
  run(5);
  expect(pace.perSecond()).toBeLessThan(5);
  run(11 * 60);
  expect(pace.perSecond()).toBeGreaterThan(100);
});

test('while requests are slow it almost stops, and then speeds up in small steps', () => {
  const { pace, run } = simulate();
  run(10);
  for (let times = 0; times < 10; times += 1) pace.requestsAreSlow();
  expect(pace.perSecond()).toBeLessThan(5);
  run(10);
  expect(pace.perSecond()).toBeGreaterThan(10);
  expect(pace.perSecond()).toBeLessThan(30);
  run(120);
  expect(pace.perSecond()).toBeGreaterThan(100);
});

test('a single slow answer changes little', () => {
  const { pace, run } = simulate();
  run(10);
  pace.answered('database', 500);
  run(2);
  expect(pace.perSecond()).toBeGreaterThan(80);
});

test('if Temporal takes nothing, it begins again slowly', () => {
  const { pace, run } = simulate();
  run(10);
  pace.refused();
  expect(pace.perSecond()).toBeLessThan(5);
  run(5);
  expect(pace.perSecond()).toBeGreaterThan(80);
});

test('from the first answer on there is a pace', () => {
  const { pace } = simulate();
  expect(pace.perSecond()).toBe(100);
});
