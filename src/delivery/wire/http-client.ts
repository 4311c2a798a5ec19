import { request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

import { PARSER_OPTIONS } from './exchange.ts';
import {
  createWebhookClient,
  type WebhookClient,
  type WebhookClientOptions,
} from './webhook-client.ts';

/** Posts with node:http(s) itself, at a fifth of the cost of got. */
export function createHttpClient(options: WebhookClientOptions): WebhookClient {
  // Node copies these for each request: keep them minimal.
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
