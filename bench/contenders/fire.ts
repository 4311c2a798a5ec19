/**
 * Parts of Daybell alone, on rows that the bench has written, by dispatchers as real processes,
 * and with nobody who waits for a report: what is left of `daybell` without Temporal.
 */
import pg from 'pg';

import { startDaybellProcesses, type ServiceName } from '../support/daybell-processes.ts';
import { secondAfter } from '../support/instants.ts';
import { viewLedger } from '../support/ledger-view.ts';
import type { Contender, HerdRun, RunningContender } from './contender.ts';

export const fire: Contender = {
  name: 'fire',
  about: 'rows armed by the bench, then dispatchers as real processes; no Temporal',
  start,
};

/** For the dispatchers to come up and the database to have written what was loaded. */
const REST_MS = 10_000;

async function start(run: HerdRun): Promise<RunningContender> {
  const { users, databaseUrl, installation, meter, options } = run;
  const processes = startDaybellProcesses(installation, run);
  const ledger = await viewLedger(databaseUrl);
  await processes.migrate();
  await meter.stage('load');
  const fireAt = secondAfter(REST_MS + users);
  await plant(databaseUrl, ARMED_HERD, users, fireAt);
  await meter.stage('wait');
  await processes.start(dispatchersOf(options), {});
  const { killDispatcher } = options;
  if (killDispatcher > 0) processes.killAt('dispatcher', fireAt + killDispatcher);
  return {
    fireAt,
    remarks: killDispatcher > 0 ? [`one dispatcher was killed after ${killDispatcher} ms`] : [],
    sleeper: null,
    unfinished: async () => users - (await ledger.herd(fireAt)).reported,
    async stop() {
      await processes.stop();
      await ledger.close();
    },
  };
}

/** A whole installation was down at the instant; its dispatchers are back, Temporal is not. */
export const missed: Contender = {
  name: 'missed',
  about: 'planned rows, ten minutes past their instant; measured from the start of dispatchers',
  async start(run) {
    const { users, databaseUrl, installation, meter, options } = run;
    const processes = startDaybellProcesses(installation, run);
    const ledger = await viewLedger(databaseUrl);
    await processes.migrate();
    await meter.stage('load');
    const dueAt = secondAfter(-DOWN_MS);
    await plant(databaseUrl, PLANNED_HERD, users, dueAt);
    await meter.stage('wait');
    const backAt = Date.now();
    await processes.start(dispatchersOf(options), {});
    return {
      fireAt: backAt,
      remarks: [],
      sleeper: null,
      unfinished: async () => users - (await ledger.herd(dueAt)).reported,
      async stop() {
        await processes.stop();
        await ledger.close();
      },
    };
  },
};

const DOWN_MS = 600_000;

function dispatchersOf({ dispatchers }: HerdRun['options']): ServiceName[] {
  return Array.from({ length: dispatchers }, () => 'dispatcher');
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
