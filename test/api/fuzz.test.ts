// @module-tag long
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';

import { ADA, readAnswer, useTestApi } from '../support/api.ts';

let id: string;
const api = useTestApi();
beforeAll(async () => {
  id = (await api.send('POST', '/v1/users', ADA)).body.id;
});

const RUNS = { numRuns: 300 };

/** Text that has broken programs before, and any other text. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    "'",
    '%',
    '?',
    '\\',
    '{}',
    '__proto__',
    '1990-12-10',
    'Asia/Tokyo',
  ),
);
const field = fc.constantFrom(
  'firstName',
  'lastName',
  'dateOfBirth',
  'timezone',
  'externalId',
  'after',
  'count',
  'deliveryTime',
  'type',
  'date',
  'recurrence',
  'rrule',
  'offsetDays',
  'leapDayPolicy',
  '__proto__',
);
const body = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(field, fc.oneof(text, fc.jsonValue()), { maxKeys: 6 }),
  fc
    .tuple(field, fc.oneof(text, fc.jsonValue()))
    .map(([name, value]) => Object.assign({}, ADA, { [name]: value })),
  fc.tuple(field, fc.date({ noInvalidDate: true })).map(([name, date]) => ({
    dateOfBirth: ADA.dateOfBirth,
    timezone: ADA.timezone,
    [name]: date.toISOString(),
  })),
);
const route = fc.constantFrom(
  ['POST', '/v1/users'],
  ['PUT', `/v1/users/`],
  ['PATCH', `/v1/users/`],
  ['POST', '/v1/occurrences/preview'],
);

/** Whatever was sent, the response is one of the API's own, and never a 500. */
function expectOrderly(status: number, type: string | null): void {
  expect(status).toBeLessThan(500);
  expect(type).toBe(status < 400 ? 'application/json' : 'application/problem+json');
}

test('no body makes it fail', async () => {
  const held = fc.assert(
    fc.asyncProperty(route, body, async ([method, path], value) => {
      const to = path?.endsWith('/') === true ? `${path}${id}` : (path ?? '');
      const answer = await api.send(method ?? '', to, value);
      expectOrderly(answer.status, answer.headers.get('content-type'));
    }),
    RUNS,
  );
  await expect(held).resolves.toBeUndefined();
});

test('no bytes make it fail', async () => {
  const held = fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const init = { method: 'POST', body: bytes, headers: { 'Content-Type': 'application/json' } };
      const answer = await readAnswer(await api.app.request('/v1/users', init));
      expectOrderly(answer.status, answer.headers.get('content-type'));
    }),
    RUNS,
  );
  await expect(held).resolves.toBeUndefined();
});

test('no query, path or header makes it fail', async () => {
  const parameter = fc.constantFrom('limit', 'cursor', 'externalId', 'timezone', 'x');
  const header = fc.constantFrom('If-Match', 'Idempotency-Key', 'X-Request-Id', 'Content-Type');
  const held = fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(parameter, fc.string({ unit: 'binary' }).map(percentEncoded)), {
        maxLength: 4,
      }),
      fc.string({ unit: 'binary' }).map(percentEncoded),
      fc.tuple(
        header,
        fc.string({ unit: 'binary-ascii' }).filter((value) => !/[\r\n\0]/.test(value)),
      ),
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
      async (query, segment, [name, value], method) => {
        const search = query.map((pair) => pair.join('=')).join('&');
        for (const path of [`/v1/users?${search}`, `/v1/users/${segment}?${search}`]) {
          const answer = await api.send(method, path, method === 'GET' ? undefined : ADA, {
            [name]: value,
          });
          if (answer.status === 204) continue;
          expectOrderly(answer.status, answer.headers.get('content-type'));
        }
      },
    ),
    RUNS,
  );
  await expect(held).resolves.toBeUndefined();
});

/** Bytes of any kind, including invalid UTF-8. */
function percentEncoded(value: string): string {
  return [...Buffer.from(value, 'latin1')]
    .map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    .join('');
}
