/**
 * The floor: the same signed bodies over the same sockets, without an engine. It stores nothing and
 * records nothing; no contender with this client can be faster.
 */
import type { Engine } from '../support/engine.ts';
import { benchUsers, createGreeter } from '../support/greeter.ts';
import { sleepUntil } from '../support/until.ts';

export const engine: Engine = {
  async start({ users: count, dueAt, webhookUrl, webhookSecret }, onLoaded) {
    const greeter = createGreeter(webhookUrl, webhookSecret);
    const users = benchUsers(count);
    onLoaded(count);
    let left = count;
    const fire = async (): Promise<void> => {
      await sleepUntil(dueAt);
      const results = await greeter.greetAll(users, dueAt);
      left -= results.filter(({ status }) => status === 'fulfilled').length;
    };
    void fire();
    return {
      unfinished: async () => left,
      stop: async () => greeter.close(),
    };
  },
};
