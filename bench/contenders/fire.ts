/**
 * Parts of Daybell alone, on rows that the bench has written, with dispatchers as real processes:
 * `daybell` without a scheduler and without Temporal.
 */
import pg from 'pg';

import { dispatchers, startDaybellProcesses } from '../support/daybell-processes.ts';
import { secondAfter } from '../support/instants.ts';
import { viewLedger } from '../support/ledger-view.ts';
import type { Contender, HerdRun, RunningContender } from './contender.ts';

export const fire: Contender = {
  name: 'fire',
  about: 'rows planned by the bench, then dispatchers as real processes; no Temporal',
  start: (run) => {
    const dueAt = secondAfter(run.options.rest * 1_000 + run.users);
    return startDispatchers(run, { dueAt, countedFrom: dueAt });
  },
};

/**
 * A whole installation was down at the instant; its dispatchers have returned, Temporal has not.
 */
export const missed: Contender = {
  name: 'missed',
  about: 'planned rows, ten minutes past their instant; measured from the start of dispatchers',
  start: (run) => startDispatchers(run, { dueAt: secondAfter(-DOWN_MS), countedFrom: null }),
};

const DOWN_MS = 600_000;

interface Rows {
  /** Their instant, epoch ms. */
  readonly dueAt: number;
  /** The instant that lateness counts from, epoch ms; null for the start of the dispatchers. */
  readonly countedFrom: number | null;
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
    await plant(databaseUrl, users, rows.dueAt);
    await meter.stage('wait');
    const countedFrom = rows.countedFrom ?? Date.now();
    await processes.start(dispatchers(options.dispatchers), {});
    if (killDispatcher > 0) installation.killAt('dispatcher', countedFrom + killDispatcher);
    return {
      dueAt: countedFrom,
      remarks: killDispatcher > 0 ? [`one dispatcher was killed after ${killDispatcher} ms`] : [],
      sleeper: null,
      unfinished: async () => users - (await ledger.herd(rows.dueAt)).settled,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function plant(databaseUrl: string, users: number, dueAt: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(HERD, [users, new Date(dueAt)]);
  await client.query('analyze');
  await client.end();
}

const HERD = `
  with herd as (
    insert into users.users (id, first_name, last_name, date_of_birth, timezone, revision,
      created_at, updated_at, inputs_changed_at)
    select gen_random_uuid(), 'Herd', n::text, '1992-05-20', 'UTC', 1, planned, planned, planned
    from generate_series(1, $1::int) as n, (select now() - interval '1 hour' as planned) as p
    returning id, created_at as planned
  )
  insert into events.occurrences (key, occasion_type, occasion_id, user_id, nominal_date, state,
    recurrence, date, timezone, local_time, leap_day_policy, tz_version, rules_id, inputs_at, local_date,
    due_at, planned_at, next_attempt_at)
  select 'birthday:' || id || ':2026', 'birthday', id, id, '2026-05-20', 'PENDING',
    'birthday', '1992-05-20', 'UTC', '09:00', 'feb28', '2026c',
    coalesce((select max(id) from events.rules), 0), planned, '2026-05-20', $2::timestamptz,
    planned, $2::timestamptz from herd`;
