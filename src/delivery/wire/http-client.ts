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
  // Node copies it for each request: no more than it needs.
  let prepared: RequestOptions | undefined;

  return createWebhookClient(options, ({ headers, body, agents }, follow) => {
    prepared ??= prepare(options.url);
    const isSecure = prepared.protocol === 'https:';
    const request = (isSecure ? requestHttps : requestHttp)({
      ...prepared,
      agent: isSecure ? agents.https : agents.http,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    follow(request).end(body);
  });
}

function prepare(url: string): RequestOptions {
  const { protocol, hostname, port, path, auth } = urlToHttpOptions(new URL(url));
  return { protocol, hostname, port, path, auth, method: 'POST', ...PARSER_OPTIONS };
}
