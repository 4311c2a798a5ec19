/** What every response contains besides its body, and what none does. */
import { describe, expect, test } from 'vitest';

import { ADA, useTestApi } from '../support/api.ts';

const api = useTestApi();

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Sends a request with that id; returns the id that was used. */
async function askAs(id: string): Promise<string> {
  const answer = await api.send('GET', '/v1/nothing', undefined, { 'X-Request-Id': id });
  const logged = api.logged.filter(({ requestId }) => requestId === answer.body.requestId);
  expect(logged).toEqual([expect.objectContaining({ msg: 'request', status: 404 })]);
  expect(answer.headers.get('x-request-id')).toBe(answer.body.requestId);
  return answer.body.requestId;
}

describe('the id of a request', () => {
  test("is the caller's own: in the response, in its problem and in the log", async () => {
    expect(await askAs('checkout-7f3a_9=')).toBe('checkout-7f3a_9=');
    expect(await askAs('x'.repeat(255))).toBe('x'.repeat(255));
  });

  test.for(['with space', '"quoted"', '{"level":"fatal"}', 'Zoë', 'x'.repeat(256), ''])(
    'is replaced by a new one if it is %s',
    async (id) => {
      expect(await askAs(id)).toMatch(UUID);
    },
  );
});

describe('a browser', () => {
  test.for(['/v1/users', '/v1/nothing', '/healthz', '/openapi.json', '/docs', '/metrics'])(
    'is told by %s not to frame it, guess types or load anything',
    async (path) => {
      const { headers } = await api.send('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('content-security-policy')).toMatch(/default-src 'none'/);
      expect(headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/);
    },
  );

  test('may do nothing with the page of another origin', async () => {
    const origin = { Origin: 'https://elsewhere.example' };
    const answers = [
      await api.send('GET', '/v1/users', undefined, origin),
      await api.send('POST', '/v1/users', ADA, origin),
      await api.send('OPTIONS', '/v1/users', undefined, {
        ...origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization, content-type',
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 405]);
    for (const { headers } of answers) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});
