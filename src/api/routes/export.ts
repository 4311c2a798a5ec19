import { createRoute, z } from '@hono/zod-openapi';

import { needs } from '../access.ts';
import { createOpenLimit } from '../concurrency-limit.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { streamText } from '../stream-text.ts';

export const EXPORT_PATH = '/v1/export';

const TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;

export function registerExport(app: Api, { exportUsers }: Pick<ApiDeps, 'exportUsers'>): void {
  const route = createRoute({
    operationId: 'exportUsers',
    ...needs('users:read', 'Users'),
    summary: 'Export users and occasions',
    description:
      'All users and their occasions as of one moment, in the form that `POST /v1/imports` takes: imported into an empty installation, they are the same there, ids included. An answer that breaks off is incomplete.',
    method: 'get',
    path: EXPORT_PATH,
    request: {
      query: z.strictObject({
        format: z
          .enum(['ndjson', 'csv'], 'must be ndjson or csv')
          .default('ndjson')
          .describe('NDJSON has a user a line, with occasions; CSV an occasion a row'),
      }),
    },
    responses: {
      200: {
        description: 'The file',
        content: {
          [TYPES.ndjson]: { schema: z.string() },
          [TYPES.csv]: { schema: z.string() },
        },
      },
      ...problems(400),
    },
  });
  const limit = createOpenLimit();
  app.openapi(route, async (c) => {
    const { format } = c.req.valid('query');
    const release = limit();
    try {
      const text = await begun(exportUsers(format));
      return streamText(c, TYPES[format], text, release) as never;
    } catch (error) {
      release();
      throw error;
    }
  });
}

/** Fails before the response begins if the database is down. */
async function begun(texts: AsyncGenerator<string>): Promise<AsyncGenerator<string>> {
  const first = await texts.next();
  return (async function* all() {
    if (first.done !== true) yield first.value;
    yield* texts;
  })();
}
