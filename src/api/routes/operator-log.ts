import { createRoute, z } from '@hono/zod-openapi';

import type { OperatorLogEntry } from '../../operator-log/operator-log.ts';
import { lengthFault, textFault } from '../../platform/text.ts';
import { ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import {
  instantParam,
  json,
  nextCursor,
  operatorLogCursor,
  pageParams,
} from '../schemas/common.ts';

export function registerOperatorLog(app: Api, { operatorLog }: ApiDeps): void {
  const list = createRoute({
    operationId: 'listOperatorLog',
    ...needs('deliveries:read', 'Operation'),
    summary: 'List what operators have changed',
    description:
      'The latest first. Through the console, every change; by the API, those of the operations that this document marks with `x-operator-log`. Dry runs are not listed. Kept for RETAIN_OCCURRENCES.',
    method: 'get',
    path: '/v1/operator-log',
    request: {
      query: z
        .strictObject({
          from: instantParam('From this instant on'),
          to: instantParam('Before this instant'),
          subject: textParam("A user's id, an occurrence's key, a destination or an occasion type"),
          actor: textParam('The name of an API key'),
          ...pageParams(operatorLogCursor),
        })
        .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
          path: ['to'],
          message: 'must be after from',
        }),
    },
    responses: {
      200: {
        description: 'A page of entries',
        content: json(
          z.object({ entries: z.array(EntrySchema), nextCursor }).openapi('OperatorLogPage'),
        ),
      },
      ...problems(400),
    },
  });
  app.openapi(list, async (c) => {
    const { limit, cursor = null, subject, actor, from, to } = c.req.valid('query');
    const filter = {
      subject: subject ?? null,
      actor: actor ?? null,
      from: from ?? null,
      to: to ?? null,
    };
    const { entries, nextAfter } = await operatorLog.findPage(filter, cursor, limit);
    return c.json(
      {
        entries: entries.map(entryBody),
        nextCursor: nextAfter && operatorLogCursor.encode(nextAfter),
      },
      200,
    );
  });
}

/** Its instant is named `at`, as in logs; `toBody` does not convert that. */
function entryBody({ at, ...entry }: OperatorLogEntry): z.output<typeof EntrySchema> {
  return { ...entry, at: new Date(at).toISOString() };
}

/** Longer than any key, id or name. */
const TEXT_MAX = 200;

function textParam(description: string) {
  return ruled((text) => lengthFault(text, TEXT_MAX) ?? textFault(text))
    .optional()
    .openapi({ description, maxLength: TEXT_MAX });
}

export const EntrySchema = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    actor: z.string().nullable().describe('The name of the API key; null where there are no keys'),
    via: z.enum(['api', 'console']),
    action: z.string().openapi({
      description: 'The operationId of what was called',
      example: 'pauseDeliveries',
    }),
    subject: z
      .string()
      .nullable()
      .describe(
        "A user's id, an occurrence's key, a destination or an occasion type; null for all destinations, or where there is none",
      ),
    detail: z
      .record(z.string(), z.unknown())
      .describe('The request and its result, such as a filter and counts'),
    outcome: z
      .int()
      .nullable()
      .describe('HTTP status; null while it runs, or if the process ended meanwhile'),
  })
  .openapi('OperatorLogEntry');
