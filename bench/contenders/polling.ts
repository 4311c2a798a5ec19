/**
 * The claim query that birthday services usually have: a column with the next birthday, and a job
 * that takes due users, 100 at a time, posts, and moves each to next year.
 */
import pg from 'pg';

import type { Engine, EngineContext } from '../support/engine.ts';
import { benchUsers, createGreeter, type BenchUser, type Greeter } from '../support/greeter.ts';
import { sleepUntil } from '../support/until.ts';

const BATCH = 100;
const MINUTE_MS = 60_000;

const SCHEMA = `
  create table users (
    id uuid primary key,
    first_name text not null,
    last_name text not null,
    timezone text not null,
    next_birthday_at timestamptz not null,
    claimed_until timestamptz
  );
  create index users_due on users (next_birthday_at)`;

const LOAD = `
  insert into users (id, first_name, last_name, timezone, next_birthday_at)
  select id, "firstName", "lastName", timezone, $2
  from jsonb_to_recordset($1::jsonb) as (id uuid, "firstName" text, "lastName" text, timezone text)`;

const CLAIM = `
  update users set claimed_until = now() + interval '5 minutes'
  where id in (
    select id from users
    where next_birthday_at <= now() and (claimed_until is null or claimed_until < now())
    order by next_birthday_at
    limit ${BATCH}
    for update skip locked)
  returning id, first_name as "firstName", last_name as "lastName", timezone`;

const DONE = `
  update users set next_birthday_at = next_birthday_at + interval '1 year', claimed_until = null
  where id = $1`;

/** When the job runs again: at each full minute, or at once while there are more. */
export type Rhythm = 'every-minute' | 'until-empty';

/** @param everyMs a minute, except in a test that has no time */
export function pollingEngine(rhythm: Rhythm, everyMs = MINUTE_MS): Engine {
  return {
    async start(context, onLoaded) {
      const pool = new pg.Pool({ connectionString: context.databaseUrl });
      const greeter = createGreeter(context.webhookUrl, context.webhookSecret);
      await load(pool, context);
      onLoaded(context.users);
      const stopping = new AbortController();
      const { signal } = stopping;
      const job = async (): Promise<void> => {
        while (!signal.aborted) {
          await sleepUntil((Math.floor(Date.now() / everyMs) + 1) * everyMs);
          for (let taken = 1; taken > 0 && !signal.aborted;) {
            taken = await runOnce(pool, greeter, context.dueAt);
            if (rhythm === 'every-minute') break;
          }
        }
      };
      void job();
      return {
        async unfinished() {
          const { rows } = await pool.query<{ count: string }>(
            'select count(*) from users where next_birthday_at <= $1',
            [new Date(context.dueAt)],
          );
          return Number(rows[0]?.count);
        },
        async stop() {
          // Ends the process, and with it the timer of the next minute.
          stopping.abort();
          greeter.close();
          await pool.end();
        },
      };
    },
  };
}

async function load(pool: pg.Pool, { users, dueAt }: EngineContext): Promise<void> {
  await pool.query(SCHEMA);
  await pool.query(LOAD, [JSON.stringify(benchUsers(users)), new Date(dueAt)]);
}

/** Returns how many were taken. */
async function runOnce(pool: pg.Pool, greeter: Greeter, dueAt: number): Promise<number> {
  const { rows } = await pool.query<BenchUser>(CLAIM);
  const results = await greeter.greetAll(rows, dueAt);
  const greeted = rows.filter((_, index) => results[index]?.status === 'fulfilled');
  await Promise.all(greeted.map(({ id }) => pool.query(DONE, [id])));
  return rows.length;
}
