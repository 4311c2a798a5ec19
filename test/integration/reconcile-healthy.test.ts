/** In an installation that is well, with 10,000 users, the reconciler finds nothing and the audit nobody missing. */
import { expect, test } from 'vitest';

import { createReconcileLedger } from '../../src/persistence/reconcile-ledger.ts';
import { counted, DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';
import { bornForNineAfter } from '../support/born.ts';
import { createLives } from '../support/lived-users.ts';
import { KINDS } from '../support/reconcile-fixture.ts';

const fixture = useAuditFixture();

const LIVES = 100;
const USERS = 10_000;

test(
  '10,000 users, by what planning and delivering have written over a year',
  { timeout: 240_000 },
  async () => {
    const now = Date.now();
    const lives = createLives(fixture.orm);
    // Birthdays all over the year, the last of them just now and the next within the hours to come.
    const birthdays = Array.from({ length: LIVES }, (_, index) =>
      bornForNineAfter(now + (index - 0.6 * LIVES) * 3.6 * DAY - 5 * HOUR),
    );
    for (const soon of [0, 5, 12, 30]) birthdays[soon] = bornForNineAfter(now + soon * HOUR);
    for (const [index, { dateOfBirth, timezone }] of birthdays.entries()) {
      const age = index % 10 === 9 ? 11 * MINUTE : (300 + index) * DAY;
      await lives.live({ dateOfBirth, timezone, from: now - age, until: now });
    }
    await fixture.sql(`update users.outbox set relayed_at = occurred_at + interval '1 second'`);
    await lives.multiply(USERS / LIVES - 1);

    const states = await fixture.sql<{ state: string; count: number }>(
      'select state, count(*)::int as count from events.occurrences group by state order by state',
    );
    expect(await fixture.sql('select count(*)::int as users from users.users')).toEqual([
      { users: USERS },
    ]);
    expect(states.map(({ state }) => state)).toEqual(['COMPLETED', 'PENDING', 'PROCESSING']);

    expect(await look()).toEqual([]);
    let everybody = 0;
    for (const date of new Set(birthdays.map(({ fireAt }) => isoDay(fireAt)))) {
      const {
        unaccounted = 0,
        doubles = 0,
        forged = 0,
        due = 0,
      } = counted(await fixture.audit(date, now));
      expect({ date, unaccounted, doubles, forged }).toEqual({
        date,
        unaccounted: 0,
        doubles: 0,
        forged: 0,
      });
      everybody += due;
    }
    // Who was created just now is not due on a day that is past.
    expect(everybody).toBeGreaterThan(0.9 * USERS);

    // Among so many, one who is missed is found.
    const [missed] = await fixture.sql<{ key: string }>(
      `delete from events.occurrences where key = (
       select max(key) from events.occurrences as o where state = 'PENDING' and not exists (
         select from events.occurrences where user_id = o.user_id and state = 'COMPLETED')
     ) returning key`,
    );
    expect(await look()).toEqual([
      { subject: missed?.key.replace(/:\d+$/, ''), kind: 'unplanned' },
    ]);
  },
);

function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

async function look(): Promise<object[]> {
  const ledger = createReconcileLedger(fixture.orm);
  for (const kind of KINDS) {
    await ledger.look(kind, { eventTypes: ['birthday'], limit: 1_000, onPage() {} });
  }
  await ledger.confirm();
  return fixture.sql('select subject, kind from events.findings order by subject');
}
