import { createRoute, z } from '@hono/zod-openapi';

import { CHECK_STEPS, type WebhookCheckReport } from '../../delivery/webhook-check.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, oneDestinationParam } from '../schemas/common.ts';
import { findTester } from './webhook-test.ts';

export function registerWebhookCheck(app: Api, { webhookTesters, logger }: ApiDeps): void {
  const route = createRoute({
    operationId: 'checkWebhook',
    ...needs('deliveries:write', 'Operation'),
    ...LOGGED,
    summary: 'Check a receiver',
    description:
      'Sends six events of the type `webhook.test` as deliveries are sent, also while these are paused: a good one, the same again, one with a wrong signature, one with an old timestamp, one whose body was changed, and a large one. Reports for each what the receiver should do and what it did, and what to change. If an answer does not come in time, the rest is not sent: a check takes twice WEBHOOK_TIMEOUT_MS at most. 409 while another check of the destination is running in this process.',
    method: 'post',
    path: '/v1/webhook/check',
    request: { query: z.strictObject({ destination: oneDestinationParam }) },
    responses: {
      200: { description: 'What the receiver did', content: json(WebhookCheckSchema) },
      ...problems(400, 409),
    },
  });
  app.openapi(route, async (c) => {
    const { destination } = c.req.valid('query');
    await noteOperation(c, {}, destination);
    const report = await findTester(webhookTesters, destination).check();
    const failed = report.steps.filter(({ right }) => right !== true).map(({ step }) => step);
    const result = { passed: report.passed, failed };
    await noteOperation(c, result);
    loggerOf(c, logger).info({ destination, ...result }, 'webhook check');
    return c.json(checkBody(report), 200);
  });
}

export function checkBody({
  startedAt,
  ...report
}: WebhookCheckReport): z.output<typeof WebhookCheckSchema> {
  const { steps, advice } = report;
  return {
    ...report,
    startedAt: new Date(startedAt).toISOString(),
    steps: [...steps],
    advice: [...advice],
  };
}

export const WebhookCheckSchema = z
  .object({
    startedAt: z.iso.datetime(),
    passed: z.boolean().describe('Every event was sent, and handled correctly'),
    steps: z.array(
      z
        .object({
          step: z.enum(CHECK_STEPS),
          sent: z
            .string()
            .openapi({ description: 'In words', example: 'A good event of 32768 bytes' }),
          expected: z.enum(['accepted', 'refused']),
          webhookId: z.string().nullable().describe('Null if it was not sent'),
          status: z.int().nullable().describe("Of the receiver's response; null if there was none"),
          errorCode: z.string().nullable().openapi({ example: 'ECONNREFUSED' }),
          durationMs: z.int().nullable(),
          right: z.boolean().nullable().describe('Null if that is unknown'),
          explanation: z.string().openapi({ example: 'Refused (401).' }),
        })
        .openapi('WebhookCheckStep'),
    ),
    deduplicated: z
      .boolean()
      .nullable()
      .describe(
        'Whether the receiver recognized the repeated event; null if its answer does not show it',
      ),
    connection: z.object({
      tlsVersion: z.string().nullable().openapi({ example: 'TLSv1.3' }),
      keptAlive: z
        .boolean()
        .nullable()
        .describe('Whether a connection served a second request; null if there was none'),
    }),
    advice: z.array(z.string()).describe('What to change; empty if there is nothing'),
  })
  .openapi('WebhookCheck');
