/** Users created by the database itself, waiting in the outbox; and a planner for them. */
import type { Orm } from '../../src/platform/database/orm.ts';
import type { Logger } from '../../src/platform/logger.ts';
import { createPlanner } from '../../src/planning/planner.ts';
import type { TzDatabase } from '../../src/time/tz-database.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The default settings. */
export const DATE_LIMITS = {
  lateAfterMs: 5 * MINUTE,
  lateLimitMs: 48 * HOUR,
  giveUpAfterMs: 72 * HOUR,
} as const;

interface BenchPlannerDeps {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  readonly logger: Logger;
  readonly clock?: () => number;
}

/** The scheduler's planner, in this process. */
export function createBenchPlanner({ orm, tz, logger, clock = Date.now }: BenchPlannerDeps) {
  const wake = { afterMs: 10_000, perSecond: 15 };
  return createPlanner({ orm, settings: { tz, ...DATE_LIMITS, wake }, clock, logger });
}

/** Users with their history, earlier events, and the event of their creation. */
const LOAD = `
  with zones as (
    select array_agg(name) as names from (
      select name from pg_timezone_names where name ~ '^(America|Asia|Europe)/[A-Z][a-z]+$'
      order by name limit 40) as first
  ), created as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, inputs_changed_at)
    select gen_random_uuid(), 'Ada', 'Lovelace',
      case when n % 4 = 0 then date '1990-01-01'
        else date '1950-01-01' + (random() * 21914)::int end,
      names[1 + n % 40], 1, users.clock(), users.clock(), users.clock()
    from zones, generate_series(1, :users::int) as n
    returning id, date_of_birth, timezone, created_at
  ), noted as (
    insert into users.history (user_id, date_of_birth, timezone, valid_from)
    select id, date_of_birth, timezone, created_at from created
  ), done as (
    insert into users.outbox (type, user_id, revision, occurred_at, done_at)
    select 'UserUpdated', id, n, created_at, created_at
    from created, generate_series(2, 11) as n
  )
  insert into users.outbox (type, user_id, revision, occurred_at)
  select 'UserCreated', id, 1, created_at from created`;

export async function loadWaitingUsers(orm: Orm, users: number): Promise<void> {
  await orm.em.fork().execute(LOAD, { users });
  await orm.em.fork().execute('vacuum analyze users.users, users.history, users.outbox');
}

/** Waits until the outbox has nothing left to plan. */
export async function untilPlanned(orm: Orm): Promise<void> {
  for (;;) {
    const [row] = await orm.em.fork().execute<{ waits: boolean }[]>(
      `select exists (
         select from users.outbox where done_at is null and parked_at is null) as waits`,
    );
    if (row?.waits === false) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
