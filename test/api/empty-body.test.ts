/**
 * An empty body counts as none wherever it is optional: `curl -d ''` and many libraries send one.
 */
import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import { ADA, readAnswer, useTestApi } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';

const api = useTestApi();

interface Operation {
  readonly requestBody?: { readonly required?: boolean };
}

test.for([
  undefined,
  'application/json',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/plain',
])('with the type %s it is read as no body', async (type) => {
  const rows = createEventRows(api.database.orm);
  const key = await rows.addOccurrence(await rows.addUser(), { state: 'FAILED' });
  const { paths } = (await api.send('GET', '/openapi.json')).body;
  const answered: Record<string, number> = {};
  for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (method === 'get' || requestBody?.required === true) continue;
      const place = await placeOf(path.replace('{key}', key));
      const init = { method: method.toUpperCase(), body: '', headers: { 'Content-Length': '0' } };
      const request = new Request(`http://localhost${place}`, init);
      // A body of text implies a type.
      if (type === undefined) request.headers.delete('content-type');
      else request.headers.set('content-type', type);
      const { status } = await readAnswer(await api.app.request(request));
      answered[`${init.method} ${path}`] = status;
    }
  }
  expect(answered).toEqual({
    'DELETE /v1/users/{id}': 204,
    'DELETE /v1/users/external/{externalId}': 204,
    'DELETE /v1/users/{id}/occasions/{occasionId}': 204,
    'DELETE /v1/users/{id}/occasions/{type}/{occasionExternalId}': 204,
    'DELETE /v1/users/external/{externalId}/occasions/{type}/{occasionExternalId}': 204,
    'POST /v1/occurrences/{key}/redeliver': 202,
    // It does not wait for a retry.
    'POST /v1/occurrences/{key}/retry': 409,
    'POST /v1/deliveries/pause': 200,
    'POST /v1/deliveries/resume': 200,
    // Of no configured webhook.
    'POST /v1/webhook/test': 409,
    'POST /v1/webhook/check': 409,
  });
});

/** The path of a new user, and of an occasion of it. */
async function placeOf(path: string): Promise<string> {
  if (!path.startsWith('/v1/users')) return path;
  const externalId = randomUUID();
  const user = await api.send('POST', '/v1/users', { ...ADA, externalId });
  const occasion = await api.send('POST', `/v1/users/${user.body.id}/occasions`, {
    type: 'reminder',
    externalId,
    date: '2026-01-31',
    recurrence: 'monthly',
  });
  return path
    .replace('{id}', user.body.id)
    .replace('{externalId}', externalId)
    .replace('{occasionId}', occasion.body.id)
    .replace('{type}', 'reminder')
    .replace('{occasionExternalId}', externalId);
}

test('if a body is required, an empty one counts as missing, or as invalid JSON', async () => {
  for (const [type, code] of [
    ['application/json', 'malformed-json'],
    ['text/plain', 'unsupported-media-type'],
  ]) {
    const headers = { 'Content-Type': type ?? '', 'Content-Length': '0' };
    const init = { method: 'POST', body: '', headers };
    const { body } = await readAnswer(await api.app.request('/v1/users', init));
    expect(body.type).toBe(`urn:daybell:problem:${code}`);
  }
});
