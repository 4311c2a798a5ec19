import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';

import { useTestApi } from '../support/api.ts';

const api = useTestApi();

/** For browsers, and the document itself. */
const PAGES = /^\/(?:docs(?:\/.*)?|openapi\.json|console(?:\/.*)?)$/;

const readDocument = async () => (await api.send('GET', '/openapi.json')).body;

describe('/openapi.json', () => {
  test('is a valid OpenAPI document', async () => {
    expect(await new Validator().validate(await readDocument())).toEqual({ valid: true });
  });

  test('describes every route except the pages', async () => {
    const document = await readDocument();
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !PAGES.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(described.sort()).toEqual([...new Set(served)].sort());
  });

  test('gives every operation a unique id, and describes every error as a problem', async () => {
    const { paths } = await readDocument();
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods as object));
    const operationIds = operations.map(({ operationId }) => operationId);
    expect(new Set(operationIds).size).toBe(operations.length);
    for (const { operationId, responses } of operations) {
      for (const [status, response] of Object.entries<{ content?: object }>(responses)) {
        if (Number(status) < 400 || operationId === 'getReadiness') continue;
        expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json']);
      }
    }
  });

  test('is the one in docs/, which `npx vitest run test/api/openapi -u` updates', async () => {
    const text = `${JSON.stringify(await readDocument(), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../docs/openapi.json');
  });
});
