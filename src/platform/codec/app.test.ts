import { expect, test } from 'vitest';

import { newPayloadKey, payloadKeys } from '../settings/payload-keys.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { createCodecApp } from './app.ts';

const KEY = newPayloadKey();
const ORIGIN = 'https://temporal.example.com';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const PAYLOAD = {
  metadata: { encoding: base64('json/plain') },
  data: base64('{"timezone":"Europe/London"}'),
};

const appOf = (token: string | null = null, key = KEY) =>
  createCodecApp({
    codec: createPayloadCodec(payloadKeys.parse(key)),
    origins: [ORIGIN],
    token,
  });

function ask(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  app = appOf(),
): Promise<Response> {
  return Promise.resolve(
    app.request(path, {
      method: 'POST',
      headers: { host: 'localhost:8081', 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
}

test('what it encodes, it decodes', async () => {
  const encoded = await ask('/encode', { payloads: [PAYLOAD, PAYLOAD] });
  const body = (await encoded.json()) as { payloads: (typeof PAYLOAD)[] };
  expect(body.payloads).toHaveLength(2);
  expect(body.payloads[0]?.metadata).toMatchObject({ encoding: base64('binary/encrypted') });
  expect(atob(body.payloads[0]?.data ?? '')).not.toContain('London');
  const decoded = await ask('/decode', body);
  expect(await decoded.json()).toEqual({ payloads: [PAYLOAD, PAYLOAD] });
});

test('cleartext is returned as it is, and a payload without data is valid', async () => {
  const payloads = [PAYLOAD, { metadata: { encoding: base64('binary/null') } }];
  const decoded = await ask('/decode', { payloads });
  expect(await decoded.json()).toEqual({ payloads: [PAYLOAD, { ...payloads[1], data: '' }] });
});

test('a list that is left out, because it is empty, has nothing to decode', async () => {
  const decoded = await ask('/decode', {});
  expect(decoded.status).toBe(200);
  expect(await decoded.json()).toEqual({ payloads: [] });
});

test.for([
  ['not JSON', '{'],
  ['payloads that are none', { payloads: 7 }],
  ['data that is not base64', { payloads: [{ data: '%' }] }],
])('a body with %s is refused', async ([_what, body]) => {
  const { status } = await ask('/decode', body);
  expect(status).toBe(400);
});

test('a missing key is named, and nothing of a damaged payload is revealed', async () => {
  const encoded = await (await ask('/encode', { payloads: [PAYLOAD] })).json();
  const other = await ask('/decode', encoded, {}, appOf(null, newPayloadKey()));
  expect(other.status).toBe(400);
  expect(await other.text()).toContain(`"${KEY.split(':')[0]}"`);
  const payloads = (encoded as { payloads: object[] }).payloads;
  const broken = await ask('/decode', { payloads: [{ ...payloads[0], data: base64('x') }] });
  expect(broken.status).toBe(400);
});

test('the Web UI of a configured origin may ask, and no other page', async () => {
  const preflight = await appOf().request('/decode', {
    method: 'OPTIONS',
    headers: {
      host: 'localhost:8081',
      origin: ORIGIN,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-namespace',
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  expect(preflight.headers.get('access-control-allow-headers')).toContain('x-namespace');
  const asked = await ask('/decode', { payloads: [] }, { origin: ORIGIN });
  expect(asked.status).toBe(200);
  expect(asked.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  const other = await ask('/decode', { payloads: [] }, { origin: 'https://evil.example.com' });
  expect(other.status).toBe(403);
  expect(other.headers.get('access-control-allow-origin')).toBeNull();
});

test('without a token, only requests to this machine’s own names are served', async () => {
  for (const host of ['localhost:8081', '127.0.0.1:8081', '[::1]:8081']) {
    expect((await ask('/decode', { payloads: [] }, { host })).status).toBe(200);
  }
  const rebound = await ask('/decode', { payloads: [] }, { host: 'evil.example.com' });
  expect(rebound.status).toBe(403);
});

test('with a token, callers must present it', async () => {
  const app = appOf('a-token-of-more-than-22-characters');
  const authorized = (authorization: string) =>
    ask('/decode', { payloads: [] }, { host: 'codec.example.com', authorization }, app);
  expect((await authorized('Bearer a-token-of-more-than-22-characters')).status).toBe(200);
  expect((await authorized('bearer a-token-of-more-than-22-characters')).status).toBe(200);
  expect((await authorized('Bearer another')).status).toBe(401);
  expect((await ask('/decode', { payloads: [] }, {}, app)).status).toBe(401);
});

test('a body larger than any page of a history is not read', async () => {
  const data = 'A'.repeat(33 * 1024 * 1024);
  expect((await ask('/decode', JSON.stringify({ payloads: [{ data }] }))).status).toBe(413);
});

test('there are no other routes', async () => {
  expect((await appOf().request('/decode', { headers: { host: 'localhost' } })).status).toBe(404);
});
