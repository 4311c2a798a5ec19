import { describe } from 'vitest';

import { CLIENTS } from './webhook-clients.ts';

/**
 * Tests of both clients, side by side, since most of the time they wait for a time limit; those of
 * one client come one after the other. `expect.poll` does not know in which of them it is:
 * `vi.waitFor` does not need to.
 */
export function describeClients(tests: (client: (typeof CLIENTS)[number]) => void): void {
  describe.concurrent.each(CLIENTS)('$name', (client) => {
    describe('alone', { concurrent: false }, () => {
      tests(client);
    });
  });
}
