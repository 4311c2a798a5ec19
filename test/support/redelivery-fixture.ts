/** Redelivery on the ledger, on a database of the test file's own, emptied before each test. */
import { randomUUID } from 'node:crypto';

import { beforeAll } from 'vitest';

import { beginRedelivery } from '../../src/events/begin-redelivery.ts';
import type { ClaimedOccurrence } from '../../src/events/ports.ts';
import type { RedeliveryLedger } from '../../src/events/redelivery.ts';
import { createRedeliveryLedger } from '../../src/persistence/redelivery-ledger.ts';
import { attemptOf, useLedgerFixture } from './ledger-fixture.ts';

/** Registers the hooks of the file that calls it. */
export function useRedeliveryFixture() {
  const fixture = useLedgerFixture();
  let redelivery: RedeliveryLedger;
  beforeAll(() => {
    redelivery = createRedeliveryLedger(fixture.database.orm);
  });

  async function begin(
    key: string,
    { id = randomUUID() as string, force = false } = {},
  ): ReturnType<typeof beginRedelivery> {
    const request = { occurrenceKey: key, redeliveryId: id, force };
    return beginRedelivery(redelivery, request, Date.now());
  }

  function awaitOutcome(occurrenceKey: string, redeliveryId: string, token = 'b1') {
    const taskToken = Buffer.from(token, 'hex');
    return redelivery.awaitOutcome({ occurrenceKey, redeliveryId, taskToken, now: Date.now() });
  }

  async function settled(state: string): Promise<string> {
    return fixture.rows.addOccurrence(await fixture.rows.addUser(), { state });
  }

  async function begun(): Promise<{ key: string; id: string }> {
    const key = await settled('FAILED');
    const id = randomUUID();
    await begin(key, { id });
    return { key, id };
  }

  /** One that was refused by the receiver, as its plan has it. */
  async function failed(fireAt: number, { isReported = true } = {}) {
    const key = await fixture.armed(fireAt);
    const claimed = await fixture.claimOne();
    await fail(claimed);
    if (isReported) await forgetReport(key);
    return { key, claimed };
  }

  async function delivered(): Promise<{ key: string; deliveredAt: number }> {
    const key = await fixture.armed(Date.now() - 1000);
    const deliveredAt = Date.now();
    await fixture.ledger.record([
      attemptOf(await fixture.claimOne(), { kind: 'delivered', at: deliveredAt }),
    ]);
    await forgetReport(key);
    return { key, deliveredAt };
  }

  async function forgetReport(key: string): Promise<void> {
    await fixture.rows.sql(
      'update events.occurrences set report = null, task_token = null where key = ?',
      [key],
    );
  }

  async function fail(claimed: ClaimedOccurrence): Promise<void> {
    const next = { kind: 'failed', at: Date.now(), reason: 'refused' } as const;
    await fixture.ledger.record([attemptOf(claimed, next, { status: 400 })]);
  }

  async function redeliveriesOf(key: string): Promise<object | undefined> {
    const [row] = await fixture.rows.sql(
      `select redelivery_id as id, redeliveries, earlier_attempts as earlier
       from events.occurrences where key = ?`,
      [key],
    );
    return row;
  }

  async function forcedOf(key: string): Promise<{ forcedAt: number | null }> {
    const [row] = await fixture.rows.sql<{ forcedAt: number | null }>(
      `select (extract(epoch from forced_at) * 1000)::float8 as "forcedAt"
       from events.occurrences where key = ?`,
      [key],
    );
    return row ?? { forcedAt: null };
  }

  return {
    ledger: fixture,
    get redelivery() {
      return redelivery;
    },
    begin,
    awaitOutcome,
    settled,
    begun,
    failed,
    delivered,
    fail,
    redeliveriesOf,
    forcedOf,
  };
}
