/**
 * What Daybell posts, for the OpenAPI document. docs/receiving.md, written by hand, says the rest.
 */
import { z } from '@hono/zod-openapi';

import { OperationsEventSchema } from '../operations-webhook/events.ts';
import type { Api } from './deps.ts';
import { json } from './schemas/common.ts';

const example = {
  type: 'birthday.due',
  timestamp: '2027-05-20T07:00:00.000Z',
  message: "Hey, Ada Lovelace it's your birthday",
  data: {
    occurrenceKey: 'birthday:01939d1c-0000-7000-8000-000000000000:2027',
    late: false,
    user: {
      id: '01939d1c-0000-7000-8000-000000000000',
      externalId: 'crm-4711',
      firstName: 'Ada',
      lastName: 'Lovelace',
    },
    occasion: {
      id: '01939d1c-0000-7000-8000-000000000000',
      externalId: null,
      type: 'birthday',
      date: '1990-05-20',
      nominalDate: '2027-05-20',
      observedDate: null,
      years: 37,
      timezone: 'Europe/Berlin',
      dueAt: '2027-05-20T07:00:00.000Z',
      data: null,
    },
  },
};

export const DueEventSchema = z
  .object({
    type: z.string().describe('`<occasion type>.due`. Answer 2xx to types that you do not handle'),
    timestamp: z.iso.datetime().describe('The due instant'),
    message: z.string().describe("The occasion type's message, for this user"),
    data: z.object({
      occurrenceKey: z.string().describe('The same as `webhook-id`'),
      late: z.boolean().describe('Whether this attempt is later than LATE_AFTER'),
      user: z
        .object({
          id: z.uuid(),
          externalId: z.string().nullable(),
          firstName: z.string(),
          lastName: z.string().describe('May be empty'),
        })
        .describe('As it is at the moment of sending'),
      occasion: z.object({
        id: z.uuid().describe("For a birthday, the user's id"),
        externalId: z.string().nullable(),
        type: z.string(),
        date: z.iso.date().describe('The first day; of a birthday, the date of birth'),
        nominalDate: z.string().describe('The day that the rule names, even if it does not exist'),
        observedDate: z.iso
          .date()
          .nullable()
          .describe('The day used instead; null if it is the nominal date'),
        years: z
          .int()
          .nullable()
          .describe('From `date` to `nominalDate`, for what recurs yearly; otherwise null'),
        timezone: z.string().describe('In which the local time was resolved'),
        dueAt: z.iso.datetime(),
        data: z.record(z.string(), z.unknown()).nullable().describe('Yours, as it was stored'),
      }),
    }),
  })
  .openapi('DueEvent', { example });

export const TestEventSchema = z
  .object({
    type: z.literal('webhook.test'),
    timestamp: z.iso.datetime(),
    message: z.string(),
    data: z.record(z.string(), z.unknown()).describe('Empty, except for some events of a check'),
  })
  .openapi('TestEvent');

const header = (description: string, example: string) =>
  z.string().openapi({ description, example });

const headers = z.object({
  'webhook-id': header(
    'The same on every attempt and redelivery: deduplicate by it',
    example.data.occurrenceKey,
  ),
  'webhook-timestamp': header('Unix seconds of this attempt', '1810796400'),
  'webhook-signature': header(
    'By Standard Webhooks: `v1,<base64>` for each secret of the destination, newest first, separated by spaces',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ),
  'idempotency-key': header('The same as `webhook-id`', example.data.occurrenceKey),
  'daybell-attempt': header('1, 2, 3 …', '1'),
  'daybell-lateness-ms': header('How long after the due instant this attempt was made', '412'),
  traceparent: header(
    'With traces on: the trace that the request is part of',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ).optional(),
});

/** What the receiver can answer, and what follows from it. */
const responses = {
  '2XX': { description: 'Delivered, whatever the body says' },
  '3XX': { description: 'Given up: FAILED, reason `refused`. Redirects are not followed' },
  '408': { description: 'Retried' },
  '410': { description: 'Given up: FAILED, reason `gone`' },
  '425': { description: 'Retried' },
  '429': {
    description: 'Retried, and the whole destination is slowed down; honours `Retry-After`',
  },
  '4XX': { description: 'Any other: given up: FAILED, reason `refused`' },
  '503': {
    description: 'Retried, and the whole destination is slowed down; honours `Retry-After`',
  },
  '5XX': { description: 'Any other, and no answer within WEBHOOK_TIMEOUT_MS: retried' },
};

const RETRIES =
  'Retries come after 1, 2 and 4 s, then after 10 s doubling to an hour, for GIVE_UP_AFTER, or until the next occurrence of the occasion falls due.';

export function registerWebhooks({ openAPIRegistry }: Api): void {
  openAPIRegistry.registerWebhook({
    operationId: 'occasionDue',
    tags: ['Webhooks'],
    security: [],
    summary: 'An occasion is due',
    description: `Posted to the destination of the occasion type, at least once. ${RETRIES}`,
    method: 'post',
    path: 'occasionDue',
    request: { headers, body: { required: true, content: json(DueEventSchema) } },
    responses,
  });
  openAPIRegistry.registerWebhook({
    operationId: 'testEvent',
    tags: ['Webhooks'],
    security: [],
    summary: 'A test event',
    description:
      'Posted once, on request, or several times by a check of the receiver; its `webhook-id` begins with `test:`.',
    method: 'post',
    path: 'testEvent',
    request: { headers, body: { required: true, content: json(TestEventSchema) } },
    responses: { '2XX': { description: 'Taken' } },
  });
  openAPIRegistry.registerWebhook({
    operationId: 'operationsEvent',
    tags: ['Webhooks'],
    security: [],
    summary: 'An operational event',
    description:
      'Posted to OPERATIONS_WEBHOOK_URL, at least once; its `webhook-id` begins with `operations:` and is the same on every attempt. Any answer but 2xx and 410 is retried for a day, with pauses from a second to ten minutes.',
    method: 'post',
    path: 'operationsEvent',
    request: { headers, body: { required: true, content: json(OperationsEventSchema) } },
    responses: { '2XX': { description: 'Taken' }, '410': { description: 'Given up' } },
  });
}
