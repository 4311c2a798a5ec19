import { afterEach, beforeAll, expect, test } from 'vitest';

import { redeliveryWorkflowId } from '../../src/domain/occurrence-key.ts';
import type { Answer } from '../support/api.ts';
import { useDaybell } from '../support/daybell.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';

const DAY = 86_400_000;
const WAIT = { timeout: 90_000, interval: 100 };
const FIRE_AT = Date.UTC(2026, 4, 20, 7);
/** What one run of the batch's workflow starts. */
const PAGE = 100;

const daybell = useDaybell();
let rows: EventRows;
beforeAll(() => {
  rows = createEventRows(daybell.api.database.orm);
});
afterEach(async () => {
  await daybell.resumeDeliveries();
  await rows.sql('truncate events.occurrences cascade');
});

test('a dry run counts, a batch sends each once over several runs, and those that were delivered never', async () => {
  const keys = await addOccurrences('FAILED', PAGE + 20);
  await addOccurrences('COMPLETED', 1);

  const dry = await redeliver({ dryRun: true });
  const asked = await redeliver();

  expect([dry.status, dry.body]).toEqual([200, { matching: PAGE + 20 }]);
  expect([asked.status, asked.body.matching]).toEqual([202, PAGE + 20]);
  const batch = daybell.temporal.client.workflow.getHandle(asked.body.workflowId);
  expect(await batch.result()).toEqual({ started: PAGE + 20 });
  await Promise.all(keys.map((key) => workflow(key).result()));
  const sent = daybell.receiver.received.map(({ id }) => id);
  expect(sent.toSorted()).toEqual(keys.toSorted());
  expect((await redeliver()).body).toEqual({ matching: 0 });
}, 240_000);

test('cancelled, it begins no more, and those that have begun go on', async () => {
  const keys = await addOccurrences('FAILED', PAGE + 20);
  await daybell.pauseDeliveries();
  const { workflowId } = (await redeliver()).body;
  // All of a page are started at once, and the next page is seconds away.
  await expect.poll(() => countOf('PROCESSING'), WAIT).toBeGreaterThan(0);

  const batch = daybell.temporal.client.workflow.getHandle(workflowId);
  await batch.cancel();
  await expect(batch.result()).rejects.toThrow(/cancelled/i);
  await daybell.resumeDeliveries();

  await expect.poll(() => countOf('COMPLETED'), WAIT).toBe(PAGE);
  expect(await countOf('FAILED')).toBe(20);
  const begun = keys.toSorted().slice(0, PAGE);
  const results = await Promise.all(begun.map((key) => workflow(key).result()));
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['delivered']));
}, 240_000);

async function addOccurrences(state: string, count: number): Promise<string[]> {
  const keys: string[] = [];
  for (let nth = 0; nth < count; nth++) {
    keys.push(await rows.addOccurrence(await rows.addUser(), { state, fireAt: FIRE_AT }));
  }
  await rows.sql('update events.occurrences set settled_at = fire_at where settled_at is null');
  return keys;
}

function redeliver(more: object = {}): Promise<Answer> {
  const filter = { status: 'FAILED', to: new Date(FIRE_AT + DAY).toISOString() };
  return daybell.api.send('POST', '/v1/occurrences/redeliver', { ...filter, ...more });
}

function workflow(key: string) {
  return daybell.temporal.client.workflow.getHandle(redeliveryWorkflowId(key));
}

async function countOf(state: string): Promise<number> {
  const found = await rows.sql('select key from events.occurrences where state = ?', [state]);
  return found.length;
}
