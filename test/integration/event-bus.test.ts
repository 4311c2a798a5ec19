import { describe } from 'vitest';

import { createOutbox } from '../../src/persistence/outbox-store.ts';
import { createUserStore } from '../../src/persistence/user-store.ts';
import { createInProcessOutbox } from '../../src/relay/in-process-outbox.ts';
import { testEventBus } from '../support/event-bus-contract.ts';
import { createTestDatabase } from '../support/postgres.ts';

describe('the bus in the process', () => {
  testEventBus(async () => {
    const outbox = createInProcessOutbox(() => performance.now());
    return {
      outbox,
      publish: async (event) => outbox.publish(event),
      waiting: async (subscriber) => outbox.waiting(subscriber),
      close: async () => {},
    };
  });
});

describe('the durable bus', () => {
  testEventBus(async () => {
    const database = await createTestDatabase();
    const users = createUserStore(database.orm);
    return {
      outbox: createOutbox(database.orm),
      publish: (event) => users.transaction((tx) => tx.publish(event)),
      async waiting(subscriber) {
        const waiting = await database.orm.em.fork().execute<object[]>(
          `select id from users.outbox
           where subscriber = ? and relayed_at is null and set_aside_at is null`,
          [subscriber],
        );
        return waiting.length;
      },
      close: database.drop,
    };
  });
});
