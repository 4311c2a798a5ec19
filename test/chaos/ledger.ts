/** The ledger of a run as anybody with a database connection sees it, past all links. */
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

export interface LedgerRow {
  readonly key: string;
  readonly userId: string;
  readonly state: string;
  readonly reason: string | null;
  /** Epoch ms. */
  readonly dueAt: number | null;
  /** When the ledger first knew that it was settled: by a trigger, not by the attempt's own time. */
  readonly knewAt: number | null;
}

export interface ChaosLedger {
  rows(): Promise<LedgerRow[]>;
  /** Users that exist. */
  userIds(): Promise<string[]>;
  /** Open, and due at most so far from now. */
  countNear(withinMs: number): Promise<number>;
  /** What is not at rest: each a line, none when all is. */
  unrest(): Promise<string[]>;
}

/** Connects anew for each question, as the server is killed now and then; asks until it is answered. */
export async function openLedger(databaseUrl: string): Promise<ChaosLedger> {
  const once = async <Row extends object>(sql: string, params: unknown[] = []): Promise<Row[]> => {
    const client = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: 5_000,
      query_timeout: 30_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Row>(sql, params)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const patiently = async <Row extends object>(sql: string): Promise<Row[]> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await once<Row>(sql);
      } catch (error) {
        if (tries === 30) throw error;
        await sleep(500);
      }
    }
  };

  await patiently(WATCH_SETTLING);
  return {
    rows: () => patiently<LedgerRow>(ROWS),
    userIds: async () => (await patiently<{ id: string }>(USERS)).map(({ id }) => id),
    async countNear(withinMs) {
      const [row] = await once<{ count: number }>(NEAR, [withinMs]);
      return row?.count ?? 0;
    },
    unrest: async () => (await patiently<{ line: string }>(UNREST)).map(({ line }) => line),
  };
}

const WATCH_SETTLING = `
  create schema chaos;
  create table chaos.settled (key text primary key, at timestamptz not null);
  create function chaos.note() returns trigger language plpgsql as $$
    begin
      insert into chaos.settled values (new.key, clock_timestamp()) on conflict do nothing;
      return null;
    end $$;
  create trigger chaos_settled after update on events.occurrences for each row
    when (new.state = 'COMPLETED' and old.state <> 'COMPLETED') execute function chaos.note()`;

const ROWS = `
  select o.key, user_id as "userId", state, reason,
    (extract(epoch from due_at) * 1000)::float8 as "dueAt",
    (extract(epoch from s.at) * 1000)::float8 as "knewAt"
  from events.occurrences as o left join chaos.settled as s on s.key = o.key`;

const USERS = 'select id::text from users.users';

const NEAR = `
  select count(*)::int as count from events.occurrences
  where state = 'PENDING'
    and abs(extract(epoch from due_at - clock_timestamp())) * 1000 <= $1`;

const UNREST = `
  select 'in the outbox: revision ' || revision || ' of ' || user_id as line from users.outbox
  where done_at is null
  union all
  select case when lease_until is null then 'waiting: ' else 'leased: ' end || key || ', due ' || due_at || ', attempts ' || attempts
    || ', next ' || coalesce(next_attempt_at::text, 'never')
  from events.occurrences
  where state = 'PENDING' and due_at <= clock_timestamp()
  union all
  select 'nothing planned after it: ' || key from events.occurrences
  where state in ('COMPLETED', 'FAILED', 'SKIPPED') and not followed
  union all
  select 'not notified: ' || type || '/' || id from events.occasions
  where (ended_at is null and (notified_wake_at is null or notified_wake_at > wake_at))
    or (ended_at is not null and end_notified_at is null)
  union all
  select 'its workflow has yet to look: ' || type || '/' || id from events.occasions
  where ended_at is null and notified_wake_at <= clock_timestamp()
  union all
  select 'no open row: user ' || id from users.users as u where not exists (
    select from events.occurrences as o where o.user_id = u.id
      and o.state = 'PENDING')
  order by line`;
