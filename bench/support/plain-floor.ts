/** A floor without got: the same signed bodies, with a minimal client. */
import { createSign } from '../../src/delivery/wire/signing.ts';
import type { Engine } from './engine.ts';
import { benchUsers, greetingOf, SOCKETS } from './greeter.ts';
import { sleepUntil } from './until.ts';

export interface PlainClient {
  /** Resolves with the status when the response has been read. */
  post(headers: Record<string, string>, body: string): Promise<number>;
  close(): void;
}

export function plainFloor(open: (url: URL, sockets: number) => PlainClient): Engine {
  return {
    async start({ users: count, dueAt, webhookUrl, webhookSecret }, onLoaded) {
      const client = open(new URL(webhookUrl), SOCKETS);
      const sign = createSign([webhookSecret]);
      const users = benchUsers(count);
      onLoaded(count);
      let left = count;
      let next = 0;

      const fire = async (): Promise<void> => {
        for (let user = users[next++]; user !== undefined; user = users[next++]) {
          const { key, body } = greetingOf(user, dueAt);
          const sentAt = Date.now();
          const timestamp = Math.floor(sentAt / 1000);
          const status = await client.post(
            {
              'content-type': 'application/json',
              'content-length': String(Buffer.byteLength(body)),
              'webhook-id': key,
              'webhook-timestamp': String(timestamp),
              ...sign(key, timestamp, body),
            },
            body,
          );
          if (status === 200) left -= 1;
        }
      };
      void sleepUntil(dueAt).then(() => Promise.all(Array.from({ length: SOCKETS }, fire)));
      return {
        unfinished: async () => left,
        stop: async () => client.close(),
      };
    },
  };
}
