/**
 * Daybell's fire stage alone: rows that are armed already, dispatchers by their real entry
 * point, and nobody who waits for a report. What is left of `daybell` without Temporal.
 */
import pg from 'pg';

import { startDaybellProcesses } from '../support/daybell-processes.ts';
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
  await plant(databaseUrl, users, fireAt);
  await meter.stage('wait');
  const dispatchers = Array.from({ length: options.dispatchers }, () => 'dispatcher' as const);
  await processes.start(dispatchers, {});
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

async function plant(databaseUrl: string, users: number, fireAt: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(ARMED_HERD, [users, new Date(fireAt)]);
  await client.query('analyze');
  await client.end();
}

const ARMED_HERD = `
  with herd as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, facts_changed_at)
    select gen_random_uuid(), 'Herd', n::text, '1992-05-20', 'UTC', 1, now(), now(), now()
    from generate_series(1, $1::int) as n
    returning id
  )
  insert into events.occurrences (key, event_type, user_id, year, state, anchor_date, timezone,
    local_time, leap_day_policy, tz_version, local_date, fire_at, planned_at, facts_at, armed_at,
    next_attempt_at)
  select 'birthday:' || id || ':2026', 'birthday', id, 2026, 'PROCESSING', '1992-05-20', 'UTC',
    '09:00', 'feb28', '2026c', '2026-05-20', $2::timestamptz, now(), now(), now(), $2::timestamptz
  from herd`;
