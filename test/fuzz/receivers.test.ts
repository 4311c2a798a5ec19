// @module-tag long
/** A short `npm run test:fuzz:receivers`. A failure names the seed of its receiver. */
import { expect, test } from 'vitest';

import { meetReceiver } from './receivers.ts';

const RECEIVERS = 10;

test('whatever a receiver does, its status counts and no webhook comes twice without a reason', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  for (let met = 0; met < RECEIVERS; met += 1) {
    expect(await meetReceiver(seed + met)).toEqual([]);
  }
}, 120_000);
