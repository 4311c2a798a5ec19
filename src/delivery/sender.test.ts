import { expect, test } from 'vitest';

import type { Claim, ClaimedOccurrence, RecordedAttempt } from '../events/ports.ts';
import type { Attempt } from './attempt.ts';
import { createSender } from './sender.ts';

const USER = {
  userId: 'u1',
  externalId: null,
  firstName: 'Ada',
  lastName: 'Lovelace',
  timezone: 'Europe/Berlin',
  facts: { anchorDate: '1990-05-20', timezone: 'Europe/Berlin' },
};

function occurrence(key: string, fireAt = 0, late = false): ClaimedOccurrence {
  return {
    key,
    fence: 7,
    eventType: 'birthday',
    userId: 'u1',
    year: 2026,
    fireAt,
    anchorDate: '1990-05-20',
    timezone: 'Europe/Berlin',
    localDate: '2026-05-20',
    attempt: 1,
    armedAttempt: 1,
    firstAttemptAt: 0,
    late,
    redelivered: false,
    earlierAttempts: 0,
  };
}

function createBench(attempt: Attempt, clock = Date.now) {
  const sent: string[] = [];
  const givenBack: Claim[] = [];
  let overdue = 0;
  const sender = createSender({
    attempt,
    settlements: {
      record: ({ key }) => void sent.push(key),
      release: () => {},
      giveBack: (claim) => void givenBack.push(claim),
      isUnwritten: () => false,
      isFailing: false,
      drain: async () => 0,
    },
    clock,
    concurrency: 1,
    onSent: () => {},
    onOverdue: () => (overdue += 1),
  });
  return { sender, sent, givenBack, overdue: () => overdue };
}

const IN_TIME = () => false;

const settle: Attempt = async ({ key }) => ({ key }) as RecordedAttempt;

test('a row whose turn comes too late for its hold is given back, not sent', async () => {
  const bench = createBench(settle);
  bench.sender.send(occurrence('in time'), USER, IN_TIME);
  bench.sender.send(occurrence('too late'), USER, () => true);
  await expect.poll(() => bench.givenBack).toEqual([{ key: 'too late', fence: 7 }]);
  expect(bench.sent).toEqual(['in time']);
  expect(bench.overdue()).toBe(1);
});

test('stopping gives back what waits, and ends what is on the wire', async () => {
  const answers: (() => void)[] = [];
  const bench = createBench(async (claimed, user) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return settle(claimed, user);
  });
  for (const key of ['a', 'b', 'c']) {
    bench.sender.send(occurrence(key), USER, IN_TIME);
  }
  await expect.poll(() => answers.length).toBe(1);
  const stopped = bench.sender.stop();
  answers[0]?.();
  await stopped;
  expect(bench.sent).toEqual(['a']);
  expect(bench.givenBack.map(({ key }) => key)).toEqual(['b', 'c']);
});

test('what is forgotten while it waits is neither sent nor given back, and can come again', async () => {
  const bench = createBench(settle);
  for (const key of ['on the wire', 'older', 'other']) {
    bench.sender.send(occurrence(key), USER, IN_TIME);
  }
  expect(bench.sender.isOnTheWire('on the wire')).toBe(true);
  expect(bench.sender.isOnTheWire('older')).toBe(false);
  bench.sender.forget('on the wire');
  bench.sender.forget('older');
  expect(bench.sender.waiting).toBe(1);
  bench.sender.send({ ...occurrence('older'), fence: 8 }, USER, () => true);
  await expect.poll(() => bench.givenBack).toEqual([{ key: 'older', fence: 8 }]);
  expect(bench.sent).toEqual(['on the wire', 'other']);
});

test('those on time go before those late that came first', async () => {
  const bench = createBench(settle);
  for (const [key, late] of [
    ['on the wire', true],
    ['late', true],
    ['on time', false],
  ] as const) {
    bench.sender.send(occurrence(key, 0, late), USER, IN_TIME);
  }
  expect([bench.sender.waiting, bench.sender.waitingOnTime]).toEqual([2, 1]);
  await expect.poll(() => bench.sent).toEqual(['on the wire', 'on time', 'late']);
});

test('a row that is early by a hair is slept out', async () => {
  let now = 1000;
  const bench = createBench(settle, () => (now += 5));
  bench.sender.send(occurrence('soon', 1030), USER, IN_TIME);
  await expect.poll(() => bench.sent).toEqual(['soon']);
  expect(now).toBeGreaterThanOrEqual(1030);
});

test('a row that is early by more, because a clock was set back, is given back', async () => {
  const bench = createBench(settle, () => 0);
  bench.sender.send(occurrence('tomorrow', 86_400_000), USER, IN_TIME);
  await expect.poll(() => bench.givenBack).toEqual([{ key: 'tomorrow', fence: 7 }]);
  expect(bench.sent).toEqual([]);
});
