/** Failures in groups; sending them again as of the moment when an operator looked. */
import { randomUUID } from 'node:crypto';

import { beforeEach, describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';
import { createEventRows, type EventRows } from '../support/event-rows.ts';
import { plantAttempt, plantOccurrence } from '../support/plant-occurrence.ts';

const api = useTestApi();
let rows: EventRows;
beforeEach(async () => {
  rows = createEventRows(api.database.orm);
  await api.sql('truncate events.occurrences cascade');
});

interface Failed {
  readonly reason?: string;
  readonly status?: number | null;
  readonly errorCode?: string | null;
  readonly columns?: Readonly<Record<string, unknown>>;
}

/** One that was attempted twice, with this last answer. */
async function failed({
  reason = 'refused',
  status = 400,
  errorCode = null,
  columns = {},
}: Failed = {}) {
  const key = await plantOccurrence(api.sql, {
    user_id: await rows.addUser(),
    state: 'FAILED',
    reason,
    attempts: 2,
    ...columns,
  });
  await plantAttempt(api.sql, key, { outcome: 'retry', status: 503 });
  await plantAttempt(api.sql, key, { number: 2, outcome: 'x', status, error_code: errorCode });
  return key;
}

const groups = async (query = '') =>
  (await api.send('GET', `/v1/occurrences/failures${query}`)).body;

const redeliver = (body: object) => api.send('POST', '/v1/occurrences/redeliver', body);

describe('the groups', () => {
  test('are by reason and by the last answer, the largest first', async () => {
    await failed();
    await failed({ columns: { due_at: '2026-05-21T07:00:00Z', redeliveries: 1 } });
    await failed({ reason: 'gave_up', status: null, errorCode: 'ECONNREFUSED' });
    await plantOccurrence(api.sql, { state: 'FAILED', reason: 'suspended', attempts: 1 });
    await plantOccurrence(api.sql, { state: 'COMPLETED' });
    const body = await groups();
    expect(body).toMatchObject({ occurrences: 4, isComplete: true });
    expect(body.groups).toEqual([
      expect.objectContaining({
        reason: 'refused',
        answer: '400',
        occurrences: 2,
        redelivered: 1,
        firstDueAt: '2026-05-20T07:00:00.000Z',
        lastDueAt: '2026-05-21T07:00:00.000Z',
      }),
      expect.objectContaining({ reason: 'gave_up', answer: 'ECONNREFUSED', occurrences: 1 }),
      expect.objectContaining({ reason: 'suspended', answer: 'none', occurrences: 1 }),
    ]);
  });

  test('are those of a window, a type and a destination, and each is a filter of the list', async () => {
    const key = await failed();
    await failed({ status: 404 });
    await failed({ columns: { due_at: '2026-05-19T07:00:00Z' } });
    await failed({ columns: { destination: 'crm' } });
    const query = '?from=2026-05-20T00:00:00Z&occasionType=birthday&destination=default';
    expect((await groups(query)).occurrences).toBe(2);
    const list = async (more: string) =>
      (await api.send('GET', `/v1/occurrences${query}&status=FAILED${more}`)).body.occurrences;
    expect(await list('&reason=refused&answer=400')).toMatchObject([{ key }]);
    expect(await list('&reason=gave_up')).toEqual([]);
    const unbounded = await api.send('GET', '/v1/occurrences?answer=400');
    expect(unbounded).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'answer', rule: 'needs status=FAILED' }] },
    });
    for (const bad of ['?from=2026-05-20T00:00:00Z&to=2026-05-20T00:00:00Z', '?destination=A']) {
      expect((await api.send('GET', `/v1/occurrences/failures${bad}`)).status).toBe(400);
    }
  });
});

describe('sending again', () => {
  test('includes a group as of the count, and nothing that has failed since', async () => {
    const key = await failed();
    await failed({ status: 404 });
    const filter = { status: 'FAILED', reason: 'refused', answer: '400' };
    const { matching, asOf } = (await redeliver({ ...filter, dryRun: true })).body;
    expect(matching).toBe(1);
    const later = await failed({ columns: { settled_at: new Date(Date.parse(asOf) + 1_000) } });
    const answer = await redeliver({ ...filter, settledBy: asOf });
    expect(answer.body).toEqual({ redelivered: 1, redeliveryId: expect.any(String) });
    expect(await rows.find(key)).toMatchObject({ state: 'PENDING' });
    expect(await rows.find(later)).toMatchObject({ state: 'FAILED' });
  });

  test('includes the given keys, and a repeated request adds nothing', async () => {
    const [first, second] = [await failed(), await failed()];
    await failed();
    const redeliveryId = randomUUID();
    const request = { keys: [first, second], redeliveryId };
    expect((await redeliver(request)).body).toEqual({ redelivered: 2, redeliveryId });
    expect((await redeliver(request)).body).toEqual({ redelivered: 0, redeliveryId });
    await api.sql(
      `update events.occurrences set state = 'COMPLETED', next_attempt_at = null, attempts = 3,
         settled_at = now(), delivered_at = now(), lateness_ms = 1 where key = ?`,
      [first],
    );
    const progress = await api.send('GET', `/v1/redeliveries/${redeliveryId}`);
    expect(progress.body).toEqual({
      redeliveredAt: expect.stringMatching(/Z$/),
      total: 2,
      delivered: 1,
      failed: 0,
      skipped: 0,
      waiting: 1,
      sending: 0,
    });
    const record = await api.send('GET', `/v1/occurrences/${second}`);
    expect(record.body).toMatchObject({ redeliveryId });
  });

  test('an occurrence that has ended again since is refused, with its current state', async () => {
    const key = await failed();
    const { settledAt } = (await api.send('GET', `/v1/occurrences/${key}`)).body;
    await api.sql(`update events.occurrences set settled_at = now(), attempts = 5 where key = ?`, [
      key,
    ]);
    const path = `/v1/occurrences/${key}/redeliver`;
    const refused = await api.send('POST', path, { settledBy: settledAt });
    expect(refused).toMatchObject({
      status: 409,
      body: {
        type: 'urn:daybell:problem:occurrence-changed',
        detail:
          'It was sent again meanwhile, and ended again. It is FAILED (refused) now, after 5 attempts.',
      },
    });
    const now = (await api.send('GET', `/v1/occurrences/${key}`)).body;
    expect((await api.send('POST', path, { settledBy: now.settledAt })).status).toBe(202);
  });

  test.for([
    [{ keys: [] }, 'keys'],
    [{ keys: ['birthday'] }, 'keys.0'],
    [{ status: 'FAILED', answer: 'teapot' }, 'answer'],
    [{ status: 'FAILED', redeliveryId: 'mine' }, 'redeliveryId'],
    [{ settledBy: '2026-05-20T07:00:00Z' }, 'body'],
  ] as const)('does not accept %j', async ([body, field]) => {
    const answer = await redeliver(body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ field }));
  });

  test('has no progress for an unknown id: 404', async () => {
    expect((await api.send('GET', `/v1/redeliveries/${randomUUID()}`)).status).toBe(404);
    expect((await api.send('GET', '/v1/redeliveries/mine')).status).toBe(400);
  });
});

describe('trying again now', () => {
  test('makes the next attempt due, and is logged', async () => {
    const key = await plantOccurrence(api.sql, {
      user_id: await rows.addUser(),
      next_attempt_at: new Date(Date.now() + 3_600_000),
      attempts: 1,
      first_attempt_at: '2026-05-20T07:00:00Z',
      priority: 1,
    });
    const path = `/v1/occurrences/${key}/retry`;
    const changed = await api.send('POST', path, { attemptCount: 0 });
    expect(changed).toMatchObject({
      status: 409,
      body: { detail: 'It is PENDING now, after 1 attempt.' },
    });
    const answer = await api.send('POST', path, { attemptCount: 1 });
    expect(answer).toMatchObject({ status: 202, body: { occurrence: { key, attemptCount: 1 } } });
    expect(Date.parse(answer.body.occurrence.nextAttemptAt)).toBeLessThan(Date.now() + 60_000);
    expect(api.logged.findLast(({ msg }) => msg === 'retry now')).toMatchObject({
      occurrenceKey: key,
    });
    expect((await api.send('POST', path)).status).toBe(409);
    expect((await api.send('POST', path, { attemptCount: 'all' })).status).toBe(400);
    const unknown = `/v1/occurrences/birthday:${randomUUID()}:2026/retry`;
    expect((await api.send('POST', unknown)).status).toBe(404);
  });
});
