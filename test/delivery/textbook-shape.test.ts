/** No dispatcher, and workflows that wake at the instant: WAKE_AFTER=0s, WAKE_RATE=0. */
import { expect, test } from 'vitest';

import { useDeliverFixture } from './deliver-fixture.ts';

const fixture = useDeliverFixture({ afterMs: 0, perSecond: 0 });
const { base } = fixture;

test('a call that is moments early waits, and sends at the instant', async () => {
  const dueAt = Date.now() + 1_000;
  const key = await fixture.due(dueAt);
  const answer = await (await fixture.work()).deliver(key);
  expect(answer.settled).toMatchObject({ outcome: 'delivered', sentBy: 'workflow' });
  expect(base.receiver.received[0]?.at).toBeGreaterThanOrEqual(dueAt);
  // At the next instant itself, without other work before it.
  expect(answer.wakeAt).toBe(answer.next?.dueAt);
});

test("it is never early by the process's own clock either", async () => {
  const dueAt = Date.now();
  const key = await fixture.due(dueAt);
  const worker = await fixture.work({ clock: () => Date.now() - 1_500 });
  await worker.deliver(key);
  expect(base.receiver.received[0]?.at).toBeGreaterThanOrEqual(dueAt + 1_500);
});

test('a call that is earlier than that returns when to call again', async () => {
  const dueAt = Date.now() + 30_000;
  const key = await fixture.due(dueAt);
  const answer = await (await fixture.work()).deliver(key);
  expect(answer).toMatchObject({ wakeAt: dueAt, settled: null });
  expect(base.receiver.received).toEqual([]);
});
