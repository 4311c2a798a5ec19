// @module-tag long
/** Random lives of occasions of every kind through the real planner: the audit of every day accounts for all. */
import { describe, expect, test } from 'vitest';

import { counted, DAY, HOUR, MINUTE, useAuditFixture } from '../support/audit-fixture.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';

const fixture = useAuditFixture();

/** Clocks change in New York, London and Lord Howe in between. */
const START = Date.UTC(2026, 1, 25);
const END = Date.UTC(2026, 3, 20);
const OCCASIONS = 36;
const SEED = 20_260_329;

const ZONES = ['Pacific/Kiritimati', 'Europe/London', 'America/New_York', 'Australia/Lord_Howe'];
const KINDS = [
  { type: 'reminder', recurrence: 'daily', date: '2026-02-27' },
  { type: 'reminder', recurrence: 'weekly', date: '2026-01-07' },
  { type: 'invoice', recurrence: 'monthly', date: '2025-12-31' },
  { type: 'invoice', recurrence: 'monthly', date: '2025-10-30', offsetDays: 4 },
  { type: 'reminder', recurrence: 'once', date: '2026-03-20' },
  { type: 'subscription', recurrence: 'yearly', date: '2024-03-29', offsetDays: 7 },
  { type: 'anniversary', recurrence: 'birthday', date: '2020-02-29' },
  { type: 'birthday-reminder', recurrence: 'birthday', date: null, offsetDays: 30 },
  { type: 'review', recurrence: 'rrule', rrule: 'FREQ=WEEKLY;BYDAY=MO,TH', date: '2026-01-01' },
] as const;
const OUTAGES = [3 * HOUR, 30 * HOUR, 11 * DAY];

const NONE = { count: 0, first: [] };
const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);

test('nothing is unaccounted for on any day, whatever was moved, suspended, deleted or missed', async () => {
  const random = createRandom(SEED);
  for (let index = 0; index < OCCASIONS; index += 1) {
    await live(random, KINDS[index % KINDS.length] ?? KINDS[0]);
  }
  const totals = { due: 0, delivered: 0, late: 0 };
  const reasons = new Set<string>();
  const types = new Set<string>();
  for (let at = START - DAY; at <= END + DAY; at += DAY) {
    const report = await fixture.audit(dayOf(at), END + 2 * HOUR);
    expect(report).toMatchObject({
      date: dayOf(at),
      unaccounted: NONE,
      doubles: NONE,
      unexpected: NONE,
    });
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += report[name];
    for (const reason of Object.keys(report.skipped.byReason)) reasons.add(reason);
    for (const { type, due } of report.types) if (due > 0) types.add(type);
  }
  // The test was not vacuous.
  for (const count of Object.values(totals)) expect(count).toBeGreaterThan(0);
  expect([...reasons]).toEqual(expect.arrayContaining(['superseded', 'suspended']));
  expect(types.size).toBeGreaterThan(5);
  const [completed] = await fixture.sql<{ count: number }>(
    `select count(*)::int as count from events.occurrences where state = 'COMPLETED'`,
  );
  expect(totals.delivered + totals.late).toBe(completed?.count);
});

/** One occasion, from creation to the end or deletion. */
async function live(random: Random, kind: (typeof KINDS)[number]): Promise<void> {
  let now = START + random.below(5 * DAY);
  // The birthdays are not planned here: they come after the end, and their reminders before it.
  const dateOfBirth = `1990-${random.pick(['04-25', '04-30', '05-05'])}`;
  const userId = await fixture.add({ dateOfBirth, timezone: random.pick(ZONES) }, now, false);
  const id = await fixture.addOccasion(userId, kind, now);
  let isSuspended = false;
  const plan = () => fixture.plan(id, now, kind.type);

  /** Whatever falls due by then is sent at its instant, or skipped while it is suspended. */
  const goTo = async (end: number): Promise<void> => {
    for (;;) {
      const open = await fixture.openOf(id);
      const dueAt = Math.max(open?.dueAt ?? Infinity, now);
      if (open === null || dueAt > end) break;
      now = dueAt;
      if (!isSuspended) await fixture.settle(open.key, 'COMPLETED', now);
      // Planned a moment later: it has fallen due by then.
      else now += 1;
      await plan();
    }
    now = end;
  };

  for (let step = random.below(7); step > 0; step -= 1) {
    const then = now + random.below(9 * DAY) + 1;
    if (then >= END - 12 * DAY) break;
    await goTo(then);
    const deed = random.below(6);
    if (deed === 0) {
      await fixture.change(userId, { timezone: random.pick(ZONES) }, now, false);
      await plan();
    } else if (deed === 1) {
      const deliveryTime = random.pick(['07:00', '18:30', null]);
      await fixture.changeOccasion(id, { deliveryTime, offsetDays: random.below(3) }, now);
    } else if (deed === 2) {
      isSuspended = !isSuspended;
      await fixture.changeOccasion(id, { suspended: isSuspended }, now);
    } else if (deed === 3 && step === 1) {
      return fixture.removeOccasion(id, now);
    } else {
      // Nothing is planned or sent meanwhile.
      now += random.pick(OUTAGES);
      await plan();
    }
  }
  await goTo(END);
  await plan();
}

describe('after ten days', () => {
  const DAILY = { type: 'reminder', recurrence: 'daily', date: '2026-03-01' };
  const FIRST = Date.UTC(2026, 2, 10, 9);
  const added = async () => {
    const born = { dateOfBirth: '1990-11-11', timezone: 'UTC' };
    const userId = await fixture.add(born, FIRST - HOUR, false);
    const id = await fixture.addOccasion(userId, DAILY, FIRST - HOUR);
    return { userId, id };
  };
  const reasonsOf = async (now: number) => {
    const found: Record<string, number>[] = [];
    for (let day = 0; day < 10; day += 1) {
      const { due: _, ...of } = counted(await fixture.audit(dayOf(FIRST + day * DAY), now));
      found.push(of);
    }
    return found;
  };
  const nine = (name: string) => Array.from({ length: 9 }, () => ({ [name]: 1 }));
  const later = FIRST + 9 * DAY + 10 * MINUTE;

  test('of a pause, nine were superseded, and the last is sent', async () => {
    const { id } = await added();
    await fixture.plan(id, later, 'reminder');
    const open = await fixture.openOf(id);
    await fixture.settle(open?.key ?? '', 'COMPLETED', later);
    expect(await reasonsOf(later)).toEqual([...nine('superseded'), { late: 1 }]);
  });

  test('of suspension, all were skipped for that reason', async () => {
    const { userId, id } = await added();
    await fixture.suspend(userId, true, FIRST - MINUTE);
    await fixture.plan(id, later, 'reminder');
    expect(await reasonsOf(later)).toEqual([...nine('suspended'), { suspended: 1 }]);
  });

  test.each(['user', 'occasion'])(
    'of a pause and the deletion of the %s on the tenth',
    async (of) => {
      const { userId, id } = await added();
      if (of === 'user') {
        await fixture.remove(userId, later, false);
        await fixture.plan(id, later, 'reminder');
      } else {
        await fixture.removeOccasion(id, later);
      }
      expect(await reasonsOf(later + DAY)).toEqual([...nine('superseded'), { deleted: 1 }]);
    },
  );
});
