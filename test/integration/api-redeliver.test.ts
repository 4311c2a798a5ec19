import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { RedeliveryFilter, RedeliveryRequest } from '../../src/domain/redelivery-messages.ts';
import type { Redeliveries } from '../../src/events/redelivery.ts';
import { connectTemporal, type TemporalConnection } from '../../src/temporal/connection.ts';
import { createRedeliveries } from '../../src/temporal/redeliveries.ts';
import { createTestApi, type Answer, type TestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { freePort } from '../support/free-port.ts';

const NOW = Date.UTC(2026, 5, 1);

/** With Temporal, this is test/workflows/redelivery.test.ts: here it is what never gets there. */
const asked: RedeliveryRequest[] = [];
const batches: { filter: RedeliveryFilter; matching: number }[] = [];
const recorder: Redeliveries = {
  async start(request) {
    asked.push(request);
    return 'redelivery/1';
  },
  async startBatch(_, filter, matching) {
    batches.push({ filter, matching });
    return 'redelivery-batch/1';
  },
};

let api: TestApi;
let rows: EventRows;
beforeAll(async () => {
  api = await createTestApi({ redeliveries: recorder, clock: () => NOW });
  rows = createEventRows(api.database.orm);
});
afterAll(() => api.database.drop());

describe('one', () => {
  test.each(['FAILED', 'SKIPPED'])('that is %s is accepted, and logged', async (state) => {
    const key = await addOccurrence(state);
    const answer = await redeliver(key);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      workflowId: 'redelivery/1',
      occurrence: { key, status: state, redeliveries: 0, redeliveredAt: null, forcedAt: null },
    });
    expect(asked.at(-1)).toMatchObject({ occurrenceKey: key, force: false });
    expect(linesOf('redelivery asked for').at(-1)).toMatchObject({
      occurrenceKey: key,
      state,
      force: false,
      workflowId: 'redelivery/1',
      requestId: expect.stringMatching(/./),
    });
  });

  test.each([
    ['PENDING', 'occurrence-live'],
    ['PROCESSING', 'occurrence-live'],
    ['COMPLETED', 'occurrence-delivered'],
  ])('that is %s is 409', async (state, code) => {
    expect(await refusal(() => redeliver(addOccurrence(state)))).toMatchObject({
      status: 409,
      code,
    });
  });

  test('that was delivered is accepted by force, and by nothing that resembles it', async () => {
    const key = await addOccurrence('COMPLETED');
    expect(await refusal(() => redeliver(key, { force: false }))).toMatchObject({ status: 409 });
    expect(await refusal(() => redeliver(key, { force: 'true' }))).toMatchObject({ status: 400 });
    expect((await redeliver(key, { force: true })).status).toBe(202);
    expect(asked.at(-1)).toMatchObject({ occurrenceKey: key, force: true });
  });

  test('of a deleted user is 409, and says that there is nobody to greet', async () => {
    const key = await rows.addOccurrence(randomUUID(), { state: 'FAILED' });
    expect(await refusal(() => redeliver(key))).toMatchObject({
      status: 409,
      code: 'user-deleted',
      detail: expect.stringContaining('nobody to greet'),
    });
  });

  test('that could never be planned is 409', async () => {
    const key = await addOccurrence('SKIPPED');
    await api.sql('update events.occurrences set fire_at = null where key = ?', [key]);
    expect(await refusal(() => redeliver(key))).toMatchObject({
      status: 409,
      code: 'occurrence-unplanned',
    });
  });

  test.each([`birthday:${randomUUID()}:2026`, 'nonsense', '%00', 'redeliver'])(
    'that is not there is 404: %s',
    async (key) => {
      expect(await refusal(() => redeliver(key))).toMatchObject({
        status: 404,
        code: 'occurrence-not-found',
      });
    },
  );

  test('needs no body, and takes none with other fields', async () => {
    const key = await addOccurrence('FAILED');
    expect(await refusal(() => redeliver(key, { forced: true }))).toMatchObject({ status: 400 });
    expect((await api.send('POST', `/v1/occurrences/${key}/redeliver`)).status).toBe(202);
  });
});

describe('all of a filter', () => {
  const FILTER = { status: 'FAILED', reason: 'gave_up', from: '2026-05-20T00:00:00Z' };

  test('are counted by a dry run, and nothing is started', async () => {
    await rows.sql('truncate events.occurrences cascade');
    await addMatching(3);
    const before = batches.length;
    const answer = await redeliverMany({ ...FILTER, dryRun: true });
    expect(answer).toMatchObject({ status: 200, body: { matching: 3 } });
    expect(batches).toHaveLength(before);
  });

  test('are started by one workflow, which knows what was settled by then', async () => {
    await rows.sql('truncate events.occurrences cascade');
    await addMatching(2);
    const answer = await redeliverMany(FILTER);
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ workflowId: 'redelivery-batch/1', matching: 2 });
    expect(batches.at(-1)).toEqual({
      matching: 2,
      filter: {
        state: 'FAILED',
        reason: 'gave_up',
        from: Date.UTC(2026, 4, 20),
        to: null,
        eventType: null,
        userId: null,
        timezone: null,
        settledBy: NOW,
      },
    });
    expect(linesOf('redeliveries asked for').at(-1)).toMatchObject({ matching: 2 });
  });

  test('are none when none match: nothing is started', async () => {
    const answer = await redeliverMany({ userId: randomUUID() });
    expect(answer).toMatchObject({ status: 200, body: { matching: 0 } });
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
  ])('are not %j', async (body, field, rule) => {
    const { status, errors } = await refusal(() => redeliverMany(body));
    expect(status).toBe(400);
    expect(errors).toContainEqual({ field, rule: expect.stringMatching(rule) });
  });
});

describe('with Temporal away', () => {
  let nobody: TemporalConnection;
  let away: TestApi;
  beforeAll(async () => {
    nobody = connectTemporal({
      TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
      TEMPORAL_DEV_PORT: 0,
      TEMPORAL_TASK_QUEUE: 'nobody',
    });
    away = await createTestApi({ redeliveries: createRedeliveries(nobody.client, 'nobody') });
  });
  afterAll(async () => {
    await away.database.drop();
    await nobody.close();
  });

  test('both are 503 within seconds, and nothing is changed', async () => {
    const awayRows = createEventRows(away.database.orm);
    const key = await awayRows.addOccurrence(await awayRows.addUser(), { state: 'FAILED' });
    await away.sql('update events.occurrences set settled_at = clock_timestamp()');
    const before = await awayRows.find(key);

    const answers = await Promise.all([
      away.send('POST', `/v1/occurrences/${key}/redeliver`, {}),
      away.send('POST', '/v1/occurrences/redeliver', { status: 'FAILED' }),
    ]);

    for (const { status, body } of answers) {
      expect(status).toBe(503);
      expect(body).toMatchObject({ type: 'urn:daybell:problem:temporal-away' });
    }
    expect(await awayRows.find(key)).toEqual(before);
  });
});

async function addOccurrence(state: string): Promise<string> {
  return rows.addOccurrence(await rows.addUser(), { state });
}

/** What the filter of these tests matches. */
async function addMatching(count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    await rows.addOccurrence(await rows.addUser(), { state: 'FAILED', fireAt: NOW - 1000 });
  }
  await api.sql(
    `update events.occurrences set reason = 'gave_up', settled_at = to_timestamp(?::float8 / 1000)`,
    [NOW - 1],
  );
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

/** Sends what must be refused, and looks that nothing was started. */
async function refusal(send: () => Promise<Answer>): Promise<Refusal> {
  const before = [asked.length, batches.length];
  const { status, body } = await send();
  expect(body.status).toBe(status);
  expect([asked.length, batches.length]).toEqual(before);
  return { ...body, code: String(body.type).replace('urn:daybell:problem:', '') };
}

function linesOf(message: string): Record<string, unknown>[] {
  return api.logged.filter(({ msg }) => msg === message);
}
