// @module-tag long
/** Where a greeting's trace continues, where a new one begins, and that nothing depends on it. */
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { hashToken } from '../../src/access/bearer.ts';
import { createAttempt } from '../../src/delivery/attempt.ts';
import { createTracing, type Tracing } from '../../src/platform/tracing.ts';
import { ADA, createTestApi } from '../support/api.ts';
import { ADA as RECIPIENT, claimedAt } from '../support/delivery-values.ts';
import { freePort } from '../support/free-port.ts';
import { createTraceStory, type TraceStory } from './trace-story.ts';
import { startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
const silent = pino({ level: 'silent' });

let collector: TraceCollector;
let tracing: Tracing;
let story: TraceStory;
beforeAll(async () => {
  collector = await startTraceCollector();
  const { endpoint } = collector;
  tracing = createTracing({ service: 'test', endpoint, share: 1, logger: silent });
  story = await createTraceStory(tracing);
});
afterAll(async () => {
  await tracing.stop();
  await story.close();
  await collector.close();
});

test('it is one trace from the request through the plan to the webhook', async () => {
  await story.setClock('2027-05-20T06:00:00Z');
  const userId = await story.createUser(TRACEPARENT);
  await story.setClock('2027-05-20T07:00:00Z');
  const webhook = await story.deliver();

  const firstOf = (name: string) => collector.span(name, (span) => span.traceId === CALLER.traceId);
  const [request, plan, post] = await Promise.all(['POST /v1/users', 'plan', 'POST'].map(firstOf));
  expect(request?.parentSpanId).toBe(CALLER.spanId);
  expect(plan?.parentSpanId).toBe(request?.spanId);
  expect(post?.parentSpanId).toBe(plan?.spanId);
  expect(webhook.headers['traceparent']).toBe(`00-${CALLER.traceId}-${post?.spanId}-01`);
  expect(request?.attributes).toMatchObject({ 'http.route': '/v1/users' });
  expect(post?.attributes).toMatchObject({
    'daybell.occurrence_key': `birthday:${userId}:2027`,
    'daybell.outcome': 'delivered',
  });

  // What no request has caused has its own trace.
  await story.planNext(userId);
  await story.setClock('2028-05-20T07:00:00Z');
  await story.deliver();
  const next = await collector.span('POST', sentFor(`birthday:${userId}:2028`));
  expect(next).toMatchObject({ parentSpanId: null, links: [] });
  expect(next.traceId).not.toBe(CALLER.traceId);

  // It contains no name and no date of birth.
  expect(JSON.stringify(collector.spans)).not.toMatch(/Ada|Lovelace|1990-05-20/);
});

test('what is sent more than a day after the request begins a new trace, which links to the first', async () => {
  await story.setClock('2027-05-01T06:00:00Z');
  const userId = await story.createUser(TRACEPARENT);
  await story.setClock('2027-05-20T07:00:00Z');
  const { headers } = await story.deliver();
  const post = await collector.span('POST', sentFor(`birthday:${userId}:2027`));
  expect(post).toMatchObject({ parentSpanId: null, links: [CALLER.traceId] });
  expect(post.traceId).not.toBe(CALLER.traceId);
  expect(headers['traceparent']).toBe(`00-${post.traceId}-${post.spanId}-01`);
});

test('a failure of tracing fails nothing else', async () => {
  const broken = await createTraceStory(tracing);
  await broken.breakTraces();
  await broken.setClock('2027-05-20T06:00:00Z');
  await broken.createUser(TRACEPARENT);
  await broken.setClock('2027-05-20T07:00:00Z');
  // In its own trace, since the original one is unknown.
  const { headers } = await broken.deliver();
  expect(headers['traceparent']).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
  expect(headers['traceparent']).not.toContain(CALLER.traceId);
  await broken.close();
});

test('a request without a traceparent, or with an invalid one, begins a trace', async () => {
  await story.setClock('2027-05-20T06:00:00Z');
  const userId = await story.createUser('00-yesterday-01');
  expect(await story.keptOf(userId)).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
});

test('a caller whose request is not sampled has decided for its whole trace', async () => {
  const parent = `${TRACEPARENT.slice(0, -2)}00`;
  const about = { name: 'unsampled', kind: 'internal', parent } as const;
  const [header, traceparent] = await tracing.span(about, async (span) => [
    tracing.active(),
    span.traceparent,
  ]);
  expect(header).toBe(traceparent);
  expect(traceparent).toMatch(new RegExp(`^00-${CALLER.traceId}-[\\da-f]{16}-00$`));
  await tracing.span({ ...about, name: 'sampled', parent: null }, async () => {});
  await collector.span('sampled');
  expect(collector.spans.some(({ name }) => name === 'unsampled')).toBe(false);
});

test('a request without its key has no trace', async () => {
  const apiKeys = [{ name: 'crm', scopes: ['users:read'], sha256: hashToken('of-crm') }] as const;
  const api = await createTestApi({ tracing, apiKeys });
  const traceId = '5af7651916cd43dd8448eb211c80319d';
  const ask = (path: string, headers: Record<string, string> = {}) =>
    api.send('GET', path, undefined, {
      traceparent: `00-${traceId}-${CALLER.spanId}-01`,
      ...headers,
    });
  await ask('/v1/users');
  await ask('/v1/users', { Authorization: 'Bearer of-nobody' });
  await ask('/v1/nothing');
  await ask('/v1/users', { Authorization: 'Bearer of-crm' });
  await collector.span('GET /v1/users', (span) => span.traceId === traceId);
  const spans = collector.spans.filter((span) => span.traceId === traceId);
  expect(spans.map(({ attributes }) => attributes)).toEqual([
    expect.objectContaining({ 'http.response.status_code': 200 }),
  ]);
  await api.database.drop();
});

test('a failure in a span is recorded with its class, but without its message', async () => {
  const failing = tracing.span({ name: 'fails', kind: 'internal', parent: null }, () =>
    Promise.reject(new RangeError('Ada was born on 1990-12-10')),
  );
  await expect(failing).rejects.toThrow('Ada');
  const span = await collector.span('fails');
  expect(span).toMatchObject({ isError: true, attributes: { 'error.type': 'RangeError' } });
});

test('a collector that refuses is logged once, and again when it has recovered', async () => {
  const logged: string[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const other = await startTraceCollector();
  other.answer(400);
  const { endpoint } = other;
  const exporting = createTracing({ service: 'test', endpoint, share: 1, logger });
  const spanOnce = (name: string) =>
    exporting.span({ name, kind: 'internal', parent: null }, async () => {});
  await spanOnce('lost');
  while (logged.length === 0) await sleep(20);
  other.answer(200);
  await spanOnce('kept');
  await other.span('kept');
  while (logged.length === 1) await sleep(20);
  expect(logged).toEqual([
    'traces cannot be exported; spans are dropped',
    'traces are exported again',
  ]);
  await exporting.stop();
  await other.close();
});

test('a collector that is down does not delay the end of a process', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const away = createTracing({ service: 'test', endpoint, share: 1, logger: silent });
  expect(await away.span({ name: 'lost', kind: 'internal', parent: null }, async () => 1)).toBe(1);
  await away.stop();
});

test('without traces, no traceparent is stored', async () => {
  const api = await createTestApi();
  await api.send('POST', '/v1/users', ADA, { traceparent: TRACEPARENT });
  expect(await api.sql('select traceparent from users.outbox')).toEqual([{ traceparent: null }]);
  await api.database.drop();
});

test('two occurrences of one user each have their own trace', async () => {
  const sentIn: (string | null)[] = [];
  const attempt = createAttempt({
    client: {
      async post() {
        sentIn.push(tracing.active());
        return {
          status: 200,
          errorCode: null,
          retryAfter: null,
          responseExcerpt: null,
          durationMs: 0,
        };
      },
    },
    sentBy: 'dispatcher',
    clock: () => 0,
    settings: { lateAfterMs: 0, giveUpAfterMs: 0 },
    logger: silent,
    tracing,
  });
  const sendIn = (key: string, trace: string) =>
    attempt(claimedAt(0, { key }), {
      ...RECIPIENT,
      trace: { traceparent: TRACEPARENT.replace('0af7', trace), at: 0 },
    });
  await Promise.all([sendIn('birthday:a', '0af7'), sendIn('birthday:b', '1af7')]);
  expect(sentIn).toEqual([expect.stringMatching(/^00-0af7/), expect.stringMatching(/^00-1af7/)]);
});

function sentFor(key: string) {
  return ({ attributes }: { attributes: object }): boolean =>
    Object.values(attributes).includes(key);
}
