import { createRoute, z } from '@hono/zod-openapi';

import { v7 as uuidv7 } from 'uuid';

import { isOccurrenceKey } from '../../ledger/occurrence-key.ts';
import { ONLY_BY_NAME, type RedeliveryFilter } from '../../ledger/redelivery.ts';
import { isoInstant } from '../../time/instant.ts';
import { ruled } from '../../users/user.ts';
import { needs } from '../access.ts';
import { emptyIsNoBody } from '../body.ts';
import type { Api, ApiDeps } from '../deps.ts';
import {
  answerParam,
  checkFilter,
  filterFields,
  filterOf,
  occurrenceKeyParam,
  OccurrenceRecordSchema,
  recordBody,
} from '../schemas/occurrences.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { instantParam, json, noQuery, requiredBody, toBody } from '../schemas/common.ts';

export function registerRedelivery(app: Api, deps: ApiDeps): void {
  const one = createRoute({
    operationId: 'redeliverOccurrence',
    ...needs('deliveries:write', 'Occurrences'),
    ...LOGGED,
    summary: 'Redeliver an occurrence',
    description:
      'Sends a FAILED or SKIPPED occurrence again, with the same `webhook-id`. It becomes PENDING, behind what is on time. Attempt numbers continue, and GIVE_UP_AFTER counts from the first new attempt. LATE_LIMIT does not apply, and it does not matter whether the user has moved since. 409 if the occurrence is open, was delivered (unless `force` is set), is being redelivered already, was settled after `settledBy`, or its user was deleted.',
    method: 'post',
    path: '/v1/occurrences/{key}/redeliver',
    middleware: emptyIsNoBody,
    request: {
      query: noQuery,
      params: occurrenceKeyParam,
      body: { content: json(RedeliverSchema) },
    },
    responses: {
      202: {
        description: 'The occurrence will be sent',
        content: json(z.object({ occurrence: OccurrenceRecordSchema }).openapi('Redelivery')),
      },
      ...problems(400, 404, 409, 415),
    },
  });
  app.openapi(one, async (c) => {
    const { key } = c.req.valid('param');
    const { force = false, settledBy } = c.req.valid('json');
    await noteOperation(c, { force });
    await deps.redelivery.redeliver(key, { force, settledBy: toTheMs(settledBy) });
    loggerOf(c, deps.logger).info({ occurrenceKey: key, force }, 'redelivery');
    return c.json({ occurrence: recordBody(await deps.occurrences.get(key)) }, 202);
  });

  const byFilter = createRoute({
    operationId: 'redeliverOccurrences',
    ...needs('deliveries:write', 'Occurrences'),
    ...LOGGED,
    summary: 'Redeliver occurrences by filter',
    description:
      'Sends all matching FAILED and SKIPPED occurrences again that are settled by now and whose users exist. Delivered ones are never included: redeliver them one by one, with `force`. Occurrences that ended with one of these reasons are included only if `reason` names it: superseded, suspended, date_changed, user_deleted, occasion_deleted. With `dryRun` nothing is sent; the response has the number of matches and the instant of the count. With that instant as `settledBy`, nothing that fails later is sent. An occurrence that had failed by then, but whose outcome was written only after the count, is sent although it was not counted.',
    method: 'post',
    path: '/v1/occurrences/redeliver',
    request: { query: noQuery, body: requiredBody(RedeliverManySchema) },
    responses: {
      200: {
        description: 'A dry run: how many would be sent',
        content: json(
          z
            .object({
              matching: z.int().describe('Number of matches'),
              asOf: z.iso.datetime().describe('When they were counted, for `settledBy`'),
            })
            .openapi('Matching'),
        ),
      },
      202: {
        description: 'The occurrences will be sent',
        content: json(
          z
            .object({
              redelivered: z.int().describe('How many will be sent'),
              redeliveryId: z.uuid().describe('For the progress of the redelivery'),
            })
            .openapi('Redelivered'),
        ),
      },
      ...problems(400, 415),
    },
  });
  app.openapi(byFilter, async (c) => {
    const {
      dryRun = false,
      reason = null,
      status = null,
      answer = null,
      keys = null,
      settledBy: settledUntil,
      redeliveryId = uuidv7(),
      ...rest
    } = c.req.valid('json');
    const filter = { status, reason, answer, keys, ...filterOf(rest) };
    const settledBy = toTheMs(settledUntil);
    if (dryRun) {
      await c.get('operation')?.discard();
      const { matching, asOf } = await deps.redelivery.count(filter, settledBy);
      return c.json({ matching, asOf: new Date(asOf).toISOString() }, 200);
    }
    await noteOperation(
      c,
      { filter: given(filter), settledBy: isoInstant(settledUntil ?? null), redeliveryId },
      filter.userId,
    );
    const terms = { settledBy, redeliveryId };
    const redelivered = await deps.redelivery.redeliverAll(filter, terms);
    await noteOperation(c, { redelivered });
    const about = { filter, settledBy: settledUntil, redelivered, redeliveryId };
    loggerOf(c, deps.logger).info(about, 'redelivery by filter');
    return c.json({ redelivered, redeliveryId }, 202);
  });

  const progress = createRoute({
    operationId: 'getRedelivery',
    ...needs('deliveries:read', 'Occurrences'),
    summary: 'Get the progress of a redelivery',
    description:
      'What became of the occurrences that one request redelivered, without those that have been redelivered again since.',
    method: 'get',
    path: '/v1/redeliveries/{id}',
    request: { query: noQuery, params: redeliveryIdParam },
    responses: {
      200: { description: 'The progress', content: json(ProgressSchema) },
      ...problems(400, 404),
    },
  });
  app.openapi(progress, async (c) => {
    const found = await deps.failures.progressOf(c.req.valid('param').id);
    return c.json(toBody(ProgressSchema, found), 200);
  });
}

/** The fields of a filter that are set; instants as ISO 8601. */
function given({ from, to, ...rest }: Partial<RedeliveryFilter>): Record<string, unknown> {
  const filter = { ...rest, from: isoInstant(from ?? null), to: isoInstant(to ?? null) };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null));
}

/** Responses have whole ms, and the ledger has µs: what was settled within that ms counts too. */
function toTheMs(settledBy: number | undefined): number | null {
  return settledBy === undefined ? null : settledBy + 1;
}

const settledBy = instantParam(
  'Only what was settled by this instant: not what has changed since. A `settledAt` or `asOf` of an answer',
);

const redeliveryIdParam = z.object({
  id: z.uuid('must be a UUID').openapi({ param: { name: 'id', in: 'path' } }),
});

export const ProgressSchema = z
  .object({
    redeliveredAt: z.iso.datetime().describe('When the first of them was sent again'),
    total: z.int(),
    delivered: z.int(),
    failed: z.int(),
    skipped: z.int(),
    waiting: z.int().describe('Due, or between two attempts'),
    sending: z.int(),
  })
  .openapi('RedeliveryProgress');

const RedeliverSchema = z
  .strictObject({
    force: z.boolean('must be true or false').optional().openapi({
      description: 'Send it even if it was delivered. `deliveredAt` is kept',
      default: false,
    }),
    settledBy,
  })
  .openapi('Redeliver');

/** As many as on a page of a list. */
const KEYS_MAX = 200;

const REASONS = ['refused', 'gone', 'gave_up', 'too_late', ...ONLY_BY_NAME] as const;

const narrowing = {
  status: z
    .enum(['FAILED', 'SKIPPED'], 'must be FAILED or SKIPPED')
    .optional()
    .describe('Both if absent'),
  reason: z.enum(REASONS, `must be one of ${REASONS.join(', ')}`).optional(),
  answer: answerParam,
  keys: z
    .array(
      ruled((key) => (isOccurrenceKey(key) ? null : 'must be the key of an occurrence')),
      'must be an array',
    )
    .min(1, 'must not be empty')
    .max(KEYS_MAX, `must have at most ${KEYS_MAX} keys`)
    .optional()
    .describe('Only these'),
  ...filterFields,
};

const RedeliverManySchema = z
  .strictObject({
    ...narrowing,
    settledBy,
    redeliveryId: z.uuid('must be a UUID').optional().openapi({
      description:
        'Your own id for the redelivery: a repeated request with the same id adds to it. Generated if absent',
    }),
    dryRun: z.boolean('must be true or false').optional().openapi({ default: false }),
  })
  .superRefine((input, context) => {
    checkFilter(input, context);
    // An empty filter would mean all that ever failed: rarely intended, and a lot.
    if (!Object.keys(input).some((name) => Object.hasOwn(narrowing, name))) {
      const message = `must have one of ${Object.keys(narrowing).join(', ')}`;
      context.addIssue({ code: 'custom', path: [], message });
    }
  })
  .openapi('RedeliverMany');
