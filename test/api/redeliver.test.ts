import { randomUUID } from 'node:crypto';

import { beforeAll, describe, expect, test } from 'vitest';

import type { OccurrenceState } from '../../src/ledger/types.ts';
import { type Answer, useTestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantOccurrence } from '../support/plant-occurrence.ts';

let rows: EventRows;
const api = useTestApi();
beforeAll(async () => {
  rows = createEventRows(api.database.orm);
});

describe('one', () => {
  test.each(['FAILED', 'SKIPPED'] as const)(
    'that is %s becomes due again, and is logged',
    async (state) => {
      const key = await addOccurrence(state);
      const answer = await redeliver(key);
      expect(answer.status).toBe(202);
      expect(answer.body).toMatchObject({
        occurrence: { key, status: 'PENDING', reason: null, redeliveries: 1, forcedAt: null },
      });
      expect(answer.body.occurrence.redeliveredAt).not.toBeNull();
      expect(linesOf('redelivery').at(-1)).toMatchObject({
        occurrenceKey: key,
        force: false,
        requestId: expect.stringMatching(/./),
      });
      expect(await refusal(() => redeliver(key))).toMatchObject({
        status: 409,
        code: 'redelivery-running',
      });
    },
  );

  test.each([
    ['PENDING', 'occurrence-live'],
    ['PROCESSING', 'occurrence-live'],
    ['COMPLETED', 'occurrence-delivered'],
  ] as const)('that is %s is 409', async (state, code) => {
    expect(await refusal(() => redeliver(addOccurrence(state)))).toMatchObject({
      status: 409,
      code,
    });
  });

  test('that was delivered is sent again by force, and only by that', async () => {
    const key = await addOccurrence('COMPLETED');
    expect(await refusal(() => redeliver(key, { force: false }))).toMatchObject({ status: 409 });
    expect(await refusal(() => redeliver(key, { force: 'true' }))).toMatchObject({ status: 400 });
    expect((await redeliver(key, { force: true })).status).toBe(202);
    expect(await rows.find(key)).toMatchObject({ state: 'PENDING', redeliveries: 1 });
    expect((await rows.find(key)).forcedAt).not.toBeNull();
  });

  test('of a deleted user is 409', async () => {
    const key = await rows.addOccurrence(randomUUID(), { state: 'FAILED' });
    expect(await refusal(() => redeliver(key))).toMatchObject({
      status: 409,
      code: 'user-deleted',
    });
  });

  test('that could never be planned is 409', async () => {
    const key = await plantOccurrence(api.sql, {
      user_id: await rows.addUser(),
      state: 'SKIPPED',
      due_at: null,
    });
    expect(await refusal(() => redeliver(key))).toMatchObject({
      status: 409,
      code: 'occurrence-unplanned',
    });
  });

  test.each([`birthday:${randomUUID()}:2026`, 'nonsense', '%00', 'redeliver'])(
    'that does not exist is 404: %s',
    async (key) => {
      expect(await refusal(() => redeliver(key))).toMatchObject({
        status: 404,
        code: 'occurrence-not-found',
      });
    },
  );

  test('needs no body, and accepts none with other fields', async () => {
    const key = await addOccurrence('FAILED');
    expect(await refusal(() => redeliver(key, { forced: true }))).toMatchObject({ status: 400 });
    expect((await api.send('POST', `/v1/occurrences/${key}/redeliver`)).status).toBe(202);
  });
});

describe('all of a filter', () => {
  const FILTER = { status: 'FAILED', reason: 'gave_up', from: '2026-05-20T00:00:00Z' };

  test('are counted by a dry run, and nothing is sent', async () => {
    await rows.sql('truncate events.occurrences cascade');
    const keys = await addMatching(3);
    const answer = await redeliverMany({ ...FILTER, dryRun: true });
    expect(answer).toMatchObject({ status: 200, body: { matching: 3 } });
    for (const key of keys) expect(await rows.find(key)).toMatchObject({ state: 'FAILED' });
  });

  test('become due again, and no others', async () => {
    await rows.sql('truncate events.occurrences cascade');
    const keys = await addMatching(2);
    const other = await addOccurrence('FAILED');
    const answer = await redeliverMany(FILTER);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ redelivered: 2 });
    for (const key of keys) {
      expect(await rows.find(key)).toMatchObject({ state: 'PENDING', redeliveries: 1 });
    }
    expect(await rows.find(other)).toMatchObject({ state: 'FAILED', redeliveries: 0 });
    expect(linesOf('redelivery by filter').at(-1)).toMatchObject({ redelivered: 2 });
  });

  test('that ended for a reason of our own are sent only if the filter names it', async () => {
    await rows.sql('truncate events.occurrences cascade');
    const key = await plantOccurrence(api.sql, {
      user_id: await rows.addUser(),
      state: 'SKIPPED',
      reason: 'superseded',
    });
    expect((await redeliverMany({ status: 'SKIPPED' })).body).toMatchObject({ redelivered: 0 });
    expect((await redeliverMany({ reason: 'superseded' })).body).toMatchObject({ redelivered: 1 });
    expect(await rows.find(key)).toMatchObject({ state: 'PENDING' });
  });

  test('can be none', async () => {
    const answer = await redeliverMany({ userId: randomUUID() });
    expect(answer).toMatchObject({ status: 202, body: { redelivered: 0 } });
  });

  test.each([
    [{}, 'body', /must have one of status, reason/],
    [{ dryRun: true }, 'body', /must have one of/],
    [{ status: 'COMPLETED' }, 'status', /must be FAILED or SKIPPED/],
    [{ reason: 'delivered' }, 'reason', /must be one of refused/],
    [{ from: 'yesterday' }, 'from', /ISO 8601/],
    [{ from: '2026-05-20T00:00:00Z', to: '2026-05-20T00:00:00Z' }, 'to', /after from/],
    [{ timezone: 'Europe/Berlin' }, 'timezone', /needs from and to/],
    [{ status: 'FAILED', force: true }, 'force', /is not a field here/],
    [{ status: 'FAILED', late: true }, 'late', /is not a field here/],
    [{ status: 'FAILED', dryRun: 'yes' }, 'dryRun', /true or false/],
  ])('cannot have %j as a filter', async (body, field, rule) => {
    const { status, errors } = await refusal(() => redeliverMany(body));
    expect(status).toBe(400);
    expect(errors).toContainEqual({ field, rule: expect.stringMatching(rule) });
  });
});

async function addOccurrence(state: OccurrenceState): Promise<string> {
  return plantOccurrence(api.sql, {
    user_id: await rows.addUser(),
    state,
    due_at: new Date(Date.now() - 60_000),
  });
}

/** What the filter of these tests matches; returns the keys. */
function addMatching(count: number): Promise<string[]> {
  const add = async (): Promise<string> =>
    plantOccurrence(api.sql, {
      user_id: await rows.addUser(),
      state: 'FAILED',
      reason: 'gave_up',
      due_at: '2026-05-21T07:00:00Z',
    });
  return Promise.all(Array.from({ length: count }, add));
}

async function redeliver(key: string | Promise<string>, body: object = {}): Promise<Answer> {
  return api.send('POST', `/v1/occurrences/${await key}/redeliver`, body);
}

function redeliverMany(body: object): Promise<Answer> {
  return api.send('POST', '/v1/occurrences/redeliver', body);
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly errors?: readonly object[];
}

/** Sends what must be refused. */
async function refusal(send: () => Promise<Answer>): Promise<Refusal> {
  const { status, body } = await send();
  expect(body.status).toBe(status);
  return { ...body, code: String(body.type).replace('urn:daybell:problem:', '') };
}

function linesOf(message: string): Record<string, unknown>[] {
  return api.logged.filter(({ msg }) => msg === message);
}
