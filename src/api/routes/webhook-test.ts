import { createRoute, z } from '@hono/zod-openapi';

import { WebhookNotSetUpError } from '../../delivery/webhook-test.ts';
import { urlSettingOf } from '../../platform/settings/destinations.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { LOGGED, noteOperation } from '../operator-log.ts';
import { problems } from '../problem.ts';
import { loggerOf } from '../requests.ts';
import { json, oneDestinationParam } from '../schemas/common.ts';

export function registerWebhookTest(app: Api, { webhookTesters, logger }: ApiDeps): void {
  const route = createRoute({
    operationId: 'testWebhook',
    ...needs('deliveries:write', 'Operation'),
    ...LOGGED,
    summary: 'Send a signed test event',
    description:
      'An event of the type `webhook.test`, sent as deliveries are: with the same signature, destination guard and time limit. It is not an occurrence, the ledger does not record it, and it is sent even while deliveries are paused. 200 means that it was sent; `verdict` says how a delivery with this response would continue.',
    method: 'post',
    path: '/v1/webhook/test',
    request: { query: z.strictObject({ destination: oneDestinationParam }) },
    responses: {
      200: { description: "The receiver's response", content: json(WebhookTestSchema) },
      ...problems(400, 409),
    },
  });
  app.openapi(route, async (c) => {
    const { destination } = c.req.valid('query');
    await noteOperation(c, {}, destination);
    const { sentAt, ...report } = await findTester(webhookTesters, destination).send();
    const { webhookId, status, errorCode, verdict, durationMs } = report;
    const sent = { destination, webhookId, status, errorCode, verdict, durationMs };
    await noteOperation(c, { webhookId, status, errorCode, verdict, durationMs });
    loggerOf(c, logger).info(sent, 'webhook test');
    return c.json({ ...report, sentAt: new Date(sentAt).toISOString() }, 200);
  });
}

/** @throws WebhookNotSetUpError */
export function findTester(testers: ApiDeps['webhookTesters'], destination: string) {
  const tester = testers.get(destination);
  if (tester !== undefined) return tester;
  throw new WebhookNotSetUpError(`${urlSettingOf(destination)} is not set for the API process.`);
}

export const WebhookTestSchema = z
  .object({
    webhookId: z.string().openapi({ example: 'test:0198f6a2-6c1e-4f5b-9d53-0a4b6c8d7e9f' }),
    sentAt: z.iso.datetime(),
    durationMs: z.int(),
    status: z.int().nullable().describe("Of the receiver's response; null if there was none"),
    errorCode: z.string().nullable().openapi({ example: 'ECONNREFUSED' }),
    verdict: z.enum(['delivered', 'retry', 'give_up', 'gone']),
    explanation: z.string().openapi({
      description: 'The verdict in words',
      example: 'Delivered: a webhook with this answer is done.',
    }),
    responseExcerpt: z.string().nullable(),
    signatures: z.int().describe('One for each secret of the destination'),
  })
  .openapi('WebhookTest');
