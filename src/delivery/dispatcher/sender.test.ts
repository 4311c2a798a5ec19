import { expect, test } from 'vitest';

import { ADA, claimedAt } from '../../../test/support/delivery-values.ts';
import type { ClaimedOccurrence, Lease, RecordedAttempt } from '../../ledger/types.ts';
import type { Attempt } from '../attempt.ts';
import { createSender } from './sender.ts';

function occurrence(key: string, dueAt = 0, late = false): ClaimedOccurrence {
  return claimedAt(dueAt, { key, late });
}

function createBench(attempt: Attempt, clock = Date.now) {
  const recorded: Lease[] = [];
  const returned: Lease[] = [];
  const state = { overdue: 0, isUsable: true };
  const sender = createSender({
    attempt,
    outcomes: {
      record: async ({ key, leaseToken }) => void recorded.push({ key, leaseToken }),
      returnToQueue: async (lease) => void returned.push(lease),
    },
    time: { earliest: clock, isUsable: () => state.isUsable },
    concurrency: 1,
    onSent: () => {},
    onOverdue: () => (state.overdue += 1),
  });
  return {
    sender,
    recorded,
    returned,
    state,
    get sent() {
      return recorded.map(({ key }) => key);
    },
  };
}

const IN_TIME = () => false;

const settle: Attempt = async ({ key }) => ({ key }) as RecordedAttempt;

test('a row that would be sent too late for its lease is returned to the queue', async () => {
  const bench = createBench(settle);
  bench.sender.send(occurrence('in time'), ADA, IN_TIME);
  bench.sender.send(occurrence('too late'), ADA, () => true);
  await expect.poll(() => bench.returned).toEqual([{ key: 'too late', leaseToken: 7 }]);
  expect(bench.sent).toEqual(['in time']);
  expect(bench.state.overdue).toBe(1);
});

test('stopping returns waiting rows, and completes those in flight', async () => {
  const answers: (() => void)[] = [];
  const bench = createBench(async (claimed, user) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return settle(claimed, user);
  });
  for (const key of ['a', 'b', 'c']) {
    bench.sender.send(occurrence(key), ADA, IN_TIME);
  }
  await expect.poll(() => answers.length).toBe(1);
  const stopped = bench.sender.stop();
  answers[0]?.();
  await stopped;
  expect(bench.sent).toEqual(['a']);
  expect(bench.returned.map(({ key }) => key)).toEqual(['b', 'c']);
});

test('a row that is claimed again while it waits keeps the newer lease', async () => {
  const bench = createBench(settle);
  for (const key of ['on the wire', 'older', 'other']) {
    bench.sender.send(occurrence(key), ADA, IN_TIME);
  }
  expect(bench.sender.renew({ key: 'older', leaseToken: 8 })).toBe(false);
  expect(bench.sender.waiting).toBe(1);
  bench.sender.send({ ...occurrence('older'), leaseToken: 8 }, ADA, () => true);
  await expect.poll(() => bench.returned).toEqual([{ key: 'older', leaseToken: 8 }]);
  expect(bench.sent).toEqual(['on the wire', 'other']);
});

test('the outcome of a row that is claimed again in flight is recorded under the newer lease', async () => {
  const bench = createBench(settle);
  bench.sender.send(occurrence('a'), ADA, IN_TIME);
  expect(bench.sender.renew({ key: 'a', leaseToken: 8 })).toBe(true);
  await expect.poll(() => bench.recorded).toEqual([{ key: 'a', leaseToken: 8 }]);
});

test('punctual rows go before late ones that came first', async () => {
  const bench = createBench(settle);
  for (const [key, late] of [
    ['on the wire', true],
    ['late', true],
    ['punctual', false],
  ] as const) {
    bench.sender.send(occurrence(key, 0, late), ADA, IN_TIME);
  }
  expect([bench.sender.waiting, bench.sender.waitingPunctual]).toEqual([2, 1]);
  await expect.poll(() => bench.sent).toEqual(['on the wire', 'punctual', 'late']);
});

test('a row that is early by a few ms waits for that time', async () => {
  let now = 1000;
  const bench = createBench(settle, () => (now += 5));
  bench.sender.send(occurrence('soon', 1030), ADA, IN_TIME);
  await expect.poll(() => bench.sent).toEqual(['soon']);
  expect(now).toBeGreaterThanOrEqual(1030);
});

test('a row that is early by more, because a clock was set back, is returned to the queue', async () => {
  const bench = createBench(settle, () => 0);
  bench.sender.send(occurrence('tomorrow', 86_400_000), ADA, IN_TIME);
  await expect.poll(() => bench.returned).toEqual([{ key: 'tomorrow', leaseToken: 7 }]);
  expect(bench.sent).toEqual([]);
});

test('nothing is sent while the clock is unusable', async () => {
  const bench = createBench(settle);
  bench.state.isUsable = false;
  bench.sender.send(occurrence('any'), ADA, IN_TIME);
  await expect.poll(() => bench.returned).toEqual([{ key: 'any', leaseToken: 7 }]);
  expect(bench.sent).toEqual([]);
});
