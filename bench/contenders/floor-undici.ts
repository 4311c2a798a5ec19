/** The floor of undici, Node's fastest client: shows what node:http leaves unused. */
import { Pool } from 'undici';

import { plainFloor } from '../support/plain-floor.ts';

export const engine = plainFloor((url, connections) => {
  const pool = new Pool(url.origin, { connections });
  return {
    async post(headers, body) {
      const answer = await pool.request({ path: url.pathname, method: 'POST', headers, body });
      await answer.body.dump();
      return answer.statusCode;
    },
    close: () => void pool.destroy(),
  };
});
