/**
 * What Daybell is compared with must itself deliver: to each user once, and not before the instant.
 */
import { afterAll, beforeAll, test } from 'vitest';

import { engine as floor } from '../../bench/contenders/floor.ts';
import { engine as httpFloor } from '../../bench/contenders/floor-http.ts';
import { engine as undiciFloor } from '../../bench/contenders/floor-undici.ts';
import { engine as pgBoss } from '../../bench/contenders/pg-boss-tuned.ts';
import { pollingEngine } from '../../bench/contenders/polling.ts';
import { engine as textbook } from '../../bench/contenders/textbook.ts';
import { startReceiver, type Receiver } from '../../bench/support/receiver.ts';
import type { Engine } from '../../bench/support/engine.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { createEmptyDatabase } from '../support/postgres.ts';
import { useDevServer, type TestTemporal } from '../support/temporal.ts';

const USERS = 12;
const WITHIN = { timeout: 60_000, interval: 50 };

let receiver: Receiver;
let temporal: TestTemporal;
beforeAll(async () => {
  receiver = await startReceiver();
  temporal = await useDevServer();
}, 25 * 60_000);
afterAll(async () => {
  await receiver.stop();
  await temporal.close();
});

const ENGINES: readonly [name: string, engine: Engine][] = [
  ['the floor', floor],
  ['the floor of node:http', httpFloor],
  ['the floor of undici', undiciFloor],
  ['the claim query until nobody is due', pollingEngine('until-empty', 250)],
  ['the claim query once in a while', pollingEngine('every-minute', 250)],
  ['pg-boss', pgBoss],
  ['the textbook workflow', textbook],
];

test.concurrent.for(ENGINES)(
  '%s greets every user once',
  { timeout: 240_000 },
  async ([name, engine], { expect }) => {
    const database = await createEmptyDatabase();
    const path = `/${name.replaceAll(' ', '-')}`;
    const dueAt = Date.now() + 1_500;
    const context = {
      users: USERS,
      dueAt,
      databaseUrl: database.url,
      temporalAddress: temporal.address,
      webhookUrl: receiver.url(path),
      webhookSecret: newWebhookSecret(),
    };
    const running = await engine.start(context, () => {});
    try {
      await expect.poll(async () => (await receiver.count(path)).distinct, WITHIN).toBe(USERS);
      await expect.poll(running.unfinished, WITHIN).toBe(0);
    } finally {
      await running.stop();
    }
    const { requests, unsigned, instants } = await receiver.take(path);
    expect({ requests, unsigned }).toEqual({ requests: USERS, unsigned: 0 });
    expect(Math.min(...instants)).toBeGreaterThanOrEqual(dueAt);
    await database.drop();
  },
);
