/**
 * Parts of Daybell alone, on rows that the bench has written, by dispatchers as real processes,
 * and with nobody who waits for a report: what is left of `daybell` without Temporal.
 */
import pg from 'pg';

import { dispatchers, startDaybellProcesses } from '../support/daybell-processes.ts';
import { secondAfter } from '../support/instants.ts';
import { viewLedger } from '../support/ledger-view.ts';
import type { Contender, HerdRun, RunningContender } from './contender.ts';

export const fire: Contender = {
  name: 'fire',
  about: 'rows armed by the bench, then dispatchers as real processes; no Temporal',
  start: (run) => {
    const fireAt = secondAfter(run.options.rest * 1_000 + run.users);
    return startDispatchers(run, { herd: ARMED_HERD, dueAt: fireAt, fireAt });
  },
};

/** A whole installation was down at the instant; its dispatchers are back, Temporal is not. */
export const missed: Contender = {
  name: 'missed',
  about: 'planned rows, ten minutes past their instant; measured from the start of dispatchers',
  start: (run) =>
    startDispatchers(run, { herd: PLANNED_HERD, dueAt: secondAfter(-DOWN_MS), fireAt: null }),
};

const DOWN_MS = 600_000;

interface Rows {
  /** The statement that writes them. */
  readonly herd: string;
  /** Their instant, epoch ms. */
  readonly dueAt: number;
  /** What lateness is counted from, epoch ms; null for the start of the dispatchers. */
  readonly fireAt: number | null;
}

async function startDispatchers(run: HerdRun, rows: Rows): Promise<RunningContender> {
  const { users, databaseUrl, installation, meter, options } = run;
  const { killDispatcher } = options;
  const processes = startDaybellProcesses(installation, run);
  const ledger = await viewLedger(databaseUrl);
  const stop = async (): Promise<void> => {
    await processes.stop();
    await ledger.close();
  };
  try {
    await processes.migrate();
    await meter.stage('load');
    await plant(databaseUrl, rows.herd, users, rows.dueAt);
    await meter.stage('wait');
    const fireAt = rows.fireAt ?? Date.now();
    await processes.start(dispatchers(options.dispatchers), {});
    if (killDispatcher > 0) processes.killAt('dispatcher', fireAt + killDispatcher);
    return {
      fireAt,
      remarks: killDispatcher > 0 ? [`one dispatcher was killed after ${killDispatcher} ms`] : [],
      sleeper: null,
      unfinished: async () => users - (await ledger.herd(rows.dueAt)).reported,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function plant(
  databaseUrl: string,
  herd: string,
  users: number,
  fireAt: number,
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(herd, [users, new Date(fireAt)]);
  await client.query('analyze');
  await client.end();
}

const USERS = `
  with herd as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, facts_changed_at)
    select gen_random_uuid(), 'Herd', n::text, '1992-05-20', 'UTC', 1, planned, planned, planned
    from generate_series(1, $1::int) as n, (select now() - interval '1 hour' as planned) as p
    returning id, created_at as planned
  )
  insert into events.occurrences (key, event_type, user_id, year, state, anchor_date, timezone,
    local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at, facts_at, armed_at,
    next_attempt_at)`;

const ROW = `'1992-05-20', 'UTC', '09:00', 'feb28', '2026c', '2026-05-20', $2::timestamptz,
  planned, planned`;

const ARMED_HERD = `${USERS}
  select 'birthday:' || id || ':2026', 'birthday', id, 2026, 'PROCESSING', ${ROW}, now(),
    $2::timestamptz from herd`;

const PLANNED_HERD = `${USERS}
  select 'birthday:' || id || ':2026', 'birthday', id, 2026, 'PENDING', ${ROW}, null, null from herd`;
