/** Claims of rows that a bench has planted, timed in ledgers of different sizes. */
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ClaimedOccurrence, RecordedAttempt } from '../../src/ledger/types.ts';
import type { Orm } from '../../src/platform/database/orm.ts';

/** Rows of a claim: the most that a dispatcher requests. */
export const CLAIM = 500;
const LEASE_MS = 30 * 60_000;

export interface Planted {
  readonly orm: Orm;
  readonly ledger: Ledger;
}

/** Planned from an instant on, spread evenly over a period. */
const PLAN = `
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, inputs_at, local_date, due_at,
    next_attempt_at, planned_at)
  select 'birthday:' || id || ':2027', 'birthday', id, id, '2027-05-20', 'PENDING', 'birthday',
    '1990-05-20', 'Europe/Berlin', '09:00', 'feb28', '2026c', now(), '2027-05-20', due_at, due_at, now()
  from (select gen_random_uuid() as id, now() + (:fromMs::float8
      + random() * :withinMs::float8) * interval '1 millisecond' as due_at
    from generate_series(1, :planned::int)) as users`;

interface PlantedPlans {
  readonly planned: number;
  /** From now until the first of them, in ms; negative if it is due already. */
  readonly fromMs: number;
  readonly withinMs: number;
}

/** Plans for users who do not exist. */
export async function plantPlans(orm: Orm, plans: PlantedPlans): Promise<void> {
  await orm.em.fork().execute(PLAN, { ...plans });
}

/** Rows that have just fallen due, in addition to the planned ones. */
export const plantDue = (orm: Orm, count: number) =>
  plantPlans(orm, { planned: count, fromMs: -1_000, withinMs: 1 });

/**
 * How long each claim took, in ms, by database; alternating, so that both meet the same machine.
 */
export async function claimInTurns(
  planted: readonly Planted[],
  claims: number,
): Promise<number[][]> {
  // The first claim warms up caches.
  for (const { orm } of planted) await plantDue(orm, (claims + 1) * CLAIM);
  const took = planted.map((): number[] => []);
  for (let nth = 0; nth <= claims; nth += 1) {
    for (const [place, { ledger }] of planted.entries()) {
      const startedAt = performance.now();
      const claimed = await claimRows(ledger);
      if (nth > 0) took[place]?.push(performance.now() - startedAt);
      // As in the product, where no more rows are leased than the dispatchers hold.
      await ledger.record(claimed.map((one) => delivered(one)));
    }
  }
  return took;
}

/** How long each of these took, in ms, repeated this many times. */
export async function inTurns(
  works: readonly (() => Promise<unknown>)[],
  times: number,
): Promise<number[][]> {
  const took = works.map((): number[] => []);
  for (let nth = 0; nth < times; nth += 1) {
    for (const [place, work] of works.entries()) {
      const startedAt = performance.now();
      await work();
      took[place]?.push(performance.now() - startedAt);
    }
  }
  return took;
}

/** @throws Error if fewer are due */
export async function claimRows(ledger: Ledger): Promise<readonly ClaimedOccurrence[]> {
  const { claimed } = await ledger.claim({
    limit: CLAIM,
    now: Date.now(),
    leaseMs: LEASE_MS,
    takesExpired: true,
  });
  if (claimed.length !== CLAIM) throw new Error(`claimed ${claimed.length} of ${CLAIM}`);
  return claimed;
}

/** The result of a claimed row, at an instant in epoch ms: the receiver has answered 200. */
export function delivered(
  { key, destination, leaseToken, dueAt, localDate }: ClaimedOccurrence,
  at = Date.now(),
): RecordedAttempt {
  return {
    key,
    destination,
    leaseToken,
    dueAt,
    localDate,
    redelivered: false,
    sentBy: 'dispatcher',
    startedAt: at,
    durationMs: 1,
    outcome: 'delivered',
    status: 200,
    errorCode: null,
    responseExcerpt: null,
    next: { kind: 'delivered', at },
    slowsDestination: false,
    retryAfterMs: null,
  };
}
