import { request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

import { PARSER_OPTIONS } from './exchange.ts';
import {
  createWebhookClient,
  type WebhookClient,
  type WebhookClientOptions,
} from './webhook-client.ts';

/** Posts by node:http(s) itself, at a fifth of what got costs. */
export function createHttpClient(options: WebhookClientOptions): WebhookClient {
  let prepared: RequestOptions | undefined;

  return createWebhookClient(options, ({ headers, body, agents }, follow) => {
    prepared ??= { ...urlToHttpOptions(new URL(options.url)), method: 'POST', ...PARSER_OPTIONS };
    const isSecure = prepared.protocol === 'https:';
    const request = (isSecure ? requestHttps : requestHttp)({
      ...prepared,
      agent: isSecure ? agents.https : agents.http,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    follow(request).end(body);
  });
}
