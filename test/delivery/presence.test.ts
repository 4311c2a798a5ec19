// @module-tag long
/** What dispatchers record about themselves, and how long it is kept. */
import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { createPresence } from '../../src/delivery/dispatcher/presence.ts';
import { HOUR, useDispatcherFixture, WITHIN } from '../support/dispatcher-fixture.ts';

const fixture = useDispatcherFixture();

interface Stamp {
  readonly stampedAt: string;
  readonly shortAt: string | null;
  readonly busyAt: string | null;
}

const stamps = () =>
  fixture.rows.sql<Stamp>(
    `select stamped_at::text as "stampedAt", short_at::text as "shortAt", busy_at::text as "busyAt"
     from events.dispatchers order by stamped_at`,
  );

/** Waits until it has stamped itself twice more; returns the last stamp. */
async function nextStamp(): Promise<Stamp | undefined> {
  const seen = new Set<string>();
  await expect
    .poll(async () => {
      const [stamp] = await stamps();
      if (stamp !== undefined) seen.add(stamp.stampedAt);
      return seen.size;
    }, WITHIN)
    .toBeGreaterThanOrEqual(3);
  return (await stamps())[0];
}

test('with nothing due, it is at work, and its claims come back short', async () => {
  await fixture.dispatch();
  const first = await nextStamp();
  expect(first).toMatchObject({ shortAt: expect.any(String), busyAt: null });
  const second = await nextStamp();
  expect(Date.parse(second?.shortAt ?? '')).toBeGreaterThan(Date.parse(first?.shortAt ?? ''));
});

test('without a free slot it is at work, busy, and has seen nothing of what waits', async () => {
  const open: ServerResponse[] = [];
  fixture.receiver.answer((response) => void open.push(response));
  await fixture.rows.addHerd(1_000, Date.now() - 1_000);
  await fixture.dispatch({ concurrency: 1 });
  await expect.poll(() => open.length, WITHIN).toBe(1);
  const first = await nextStamp();
  expect(first).toMatchObject({ shortAt: null, busyAt: expect.any(String) });
  const second = await nextStamp();
  expect(Date.parse(second?.busyAt ?? '')).toBeGreaterThan(Date.parse(first?.busyAt ?? ''));
  fixture.receiver.answer((response) => void response.end());
  for (const response of open) response.end();
});

test('while delivery is paused it is at work, but has seen nothing', async () => {
  await fixture.control.pause(null);
  await fixture.rows.addHerd(1, Date.now() - 1_000);
  await fixture.dispatch();
  expect(await nextStamp()).toMatchObject({ shortAt: null, busyAt: null });
});

test('stamps of dead dispatchers are removed after a day, those of others are not', async () => {
  const [day, hour] = [createPresence(fixture.database.orm), createPresence(fixture.database.orm)];
  await fixture.rows.shiftClock(-24.5 * HOUR);
  await day.stamp({ shortAt: null, busyAt: null });
  await fixture.rows.shiftClock(-HOUR);
  await hour.stamp({ shortAt: null, busyAt: null });
  await fixture.rows.shiftClock(0);
  const [, kept, ...others] = await stamps();
  expect(others).toEqual([]);
  await fixture.dispatch();
  await expect.poll(async () => (await stamps())[0], WITHIN).toEqual(kept);
  await expect.poll(stamps, WITHIN).toHaveLength(2);
});
