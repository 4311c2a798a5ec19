/** The floor of node:http, which Daybell's dispatchers use, with nothing on top. */
import { Agent, request } from 'node:http';

import { plainFloor } from '../support/plain-floor.ts';

export const engine = plainFloor((url, maxSockets) => {
  const agent = new Agent({ keepAlive: true, maxSockets });
  return {
    post: (headers, body) =>
      new Promise((resolve, reject) => {
        const sent = request(url, { agent, method: 'POST', headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0));
        });
        sent.once('error', reject).end(body);
      }),
    close: () => agent.destroy(),
  };
});
