import { once } from 'node:events';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

import type { Authority } from '../../support/certificates.ts';

export interface HttpsAnswer {
  readonly status: number;
  readonly body: string;
}

/** A client of the API behind a proxy on this machine, using the `Host` of its page. */
export function createHttpsClient(authority: Authority, key: string) {
  const agent = new Agent({ ca: authority.cert, keepAlive: true, maxSockets: 8 });
  return {
    async send(port: number, method: string, path: string, body?: object): Promise<HttpsAnswer> {
      const headers = {
        host: 'daybell.example.com',
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      };
      const servername = 'localhost';
      const asked = request({ agent, host: servername, servername, port, path, method, headers });
      asked.end(body === undefined ? undefined : JSON.stringify(body));
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      return { status: answer.statusCode ?? 0, body: await text(answer) };
    },
    close: () => agent.destroy(),
  };
}
