import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

import got from 'got';

import { PARSER_OPTIONS } from './exchange.ts';
import {
  createWebhookClient,
  type WebhookClient,
  type WebhookClientOptions,
} from './webhook-client.ts';

/** Posts with got, without its redirects and retries. */
export function createGotClient(options: WebhookClientOptions): WebhookClient {
  const client = got.extend({
    method: 'POST',
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    // A response that is not decompressed cannot grow.
    decompress: false,
    ...PARSER_OPTIONS,
  });

  return createWebhookClient(options, ({ headers, body, agents }, follow, fail) => {
    client
      .stream(options.url, {
        headers,
        body,
        agent: agents,
        request: (url, native, respond) => {
          const request = url.protocol === 'https:' ? requestHttps : requestHttp;
          return follow(request(url, native, respond));
        },
      })
      .on('error', fail)
      .resume();
  });
}
