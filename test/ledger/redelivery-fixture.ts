/** Redelivery on the ledger, on a database of the test file's own, emptied before each test. */
import { beforeAll } from 'vitest';

import {
  createRedelivery,
  type Redelivery,
  type RedeliveryFilter,
} from '../../src/ledger/redelivery.ts';
import type { ClaimedOccurrence, OccurrenceState } from '../../src/ledger/types.ts';
import { attemptOf, useLedgerFixture } from './ledger-fixture.ts';

export const ANY: RedeliveryFilter = {
  status: null,
  reason: null,
  from: null,
  to: null,
  occasionType: null,
  userId: null,
  timezone: null,
  destination: null,
  answer: null,
  keys: null,
};

/** Registers the hooks of the file that calls it. */
export function useRedeliveryFixture() {
  const fixture = useLedgerFixture();
  let redelivery: Redelivery;
  beforeAll(() => {
    redelivery = createRedelivery(fixture.database.orm);
  });

  function redeliver(key: string, { force = false } = {}): Promise<void> {
    return redelivery.redeliver(key, { force });
  }

  async function settled(state: OccurrenceState): Promise<string> {
    return fixture.rows.addOccurrence(await fixture.rows.addUser(), { state });
  }

  /** One that is sent again, and not claimed yet. */
  async function redelivered(): Promise<string> {
    const key = await settled('FAILED');
    await redeliver(key);
    return key;
  }

  /** One that the receiver refused, with the row of its plan. */
  async function failed(dueAt: number) {
    const key = await fixture.planned(dueAt);
    const claimed = await fixture.claimOne();
    await fail(claimed);
    return { key, claimed };
  }

  async function delivered(): Promise<{ key: string; deliveredAt: number }> {
    const key = await fixture.planned(Date.now() - 1000);
    const deliveredAt = Date.now();
    await deliver(await fixture.claimOne(), deliveredAt);
    return { key, deliveredAt };
  }

  async function deliver(claimed: ClaimedOccurrence, at = Date.now()): Promise<void> {
    await fixture.ledger.record([attemptOf(claimed, { kind: 'delivered', at })]);
  }

  async function fail(claimed: ClaimedOccurrence): Promise<void> {
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    await fixture.ledger.record([attemptOf(claimed, next, { status: 400 })]);
  }

  return {
    ledger: fixture,
    get redelivery() {
      return redelivery;
    },
    redeliver,
    settled,
    redelivered,
    failed,
    delivered,
    deliver,
    fail,
  };
}
