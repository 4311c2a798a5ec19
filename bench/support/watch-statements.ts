/** The longest statement that others run in a database meanwhile, sampled ten times a second. */
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

const LOOK_EVERY_MS = 100;

interface Statement {
  readonly ms: number;
  /** Its first words. */
  readonly text: string;
}

export async function watchStatements(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  let longest: Statement | null = null;
  const stopping = new AbortController();
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const { rows } = await client.query<Statement>(LONGEST);
      for (const row of rows) if (row.ms > (longest?.ms ?? 0)) longest = row;
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return {
    /** Null if none was seen. */
    async stop(): Promise<Statement | null> {
      stopping.abort();
      await watching;
      await client.end();
      return longest;
    },
  };
}

/** Statements that set a time limit precede the actual statement. */
const LONGEST = `
  select round(extract(epoch from clock_timestamp() - query_start) * 1000)::float8 as ms,
    left(regexp_replace(regexp_replace(query, '^set local [^;]*;', ''), '\\s+', ' ', 'g'), 60)
      as text
  from pg_stat_activity
  where datname = current_database() and state = 'active' and pid <> pg_backend_pid()
    and backend_type = 'client backend'
  order by query_start limit 1`;
