import { createRoute, z } from '@hono/zod-openapi';

import { WebhookNotSetUpError } from '../../delivery/webhook-test.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../request-log.ts';
import { noQuery } from '../user-schemas.ts';

/** POST /v1/webhook/test */
export function registerTestWebhook(app: Api, deps: ApiDeps): void {
  const route = createRoute({
    operationId: 'testWebhook',
    ...needs('deliveries:write'),
    tags: ['Operation'],
    summary: 'Send a signed test event, and see what came back',
    description:
      'An event of the type `webhook.test`, about nobody, on the road of deliveries: the same signing, the same guard of the destination, the same time limit. It is no occurrence, and no ledger keeps it. It is sent whether deliveries are paused or not. 200 says that it was sent; `verdict` says what became of it.',
    method: 'post',
    path: '/v1/webhook/test',
    request: { query: noQuery },
    responses: {
      200: {
        description: 'What came back',
        content: { 'application/json': { schema: WebhookTestSchema } },
      },
      ...problems(400, 409),
    },
  });

  app.openapi(route, async (c) => {
    if (deps.webhookTester === null) throw new WebhookNotSetUpError(NOT_SET_UP);
    const { sentAt, ...report } = await deps.webhookTester.send();
    const { webhookId, status, errorCode, verdict, durationMs } = report;
    const sent = { webhookId, status, errorCode, verdict, durationMs };
    loggerOf(c, deps.logger).info(sent, 'webhook test');
    return c.json({ ...report, sentAt: new Date(sentAt).toISOString() }, 200);
  });
}

const NOT_SET_UP = 'WEBHOOK_URL is not set for the process that serves the API.';

const WebhookTestSchema = z
  .object({
    webhookId: z.string().openapi({ example: 'test:0198f6a2-6c1e-4f5b-9d53-0a4b6c8d7e9f' }),
    sentAt: z.iso.datetime(),
    durationMs: z.int(),
    status: z
      .int()
      .nullable()
      .openapi({ description: "Of the receiver's answer; null when there was none" }),
    errorCode: z.string().nullable().openapi({ example: 'ECONNREFUSED' }),
    verdict: z.enum(['delivered', 'retry', 'give_up', 'gone']),
    explanation: z.string().openapi({
      description: 'What would become of a greeting that got this answer',
      example: 'Delivered: a greeting with this answer is done.',
    }),
    responseExcerpt: z.string().nullable(),
    signatures: z.int().openapi({ description: 'One for each of WEBHOOK_SECRETS' }),
  })
  .openapi('WebhookTest');
