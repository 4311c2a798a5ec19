import { randomUUID } from 'node:crypto';

type Sql = (query: string, params: unknown[]) => Promise<unknown>;

/** A row of the ledger, column by column; gives its key. Blocked when it has no `fire_at`. */
export async function plantOccurrence(
  sql: Sql,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { user_id = randomUUID(), year = 2026, fire_at = '2026-05-20T07:00:00Z' } = columns;
  const row = {
    key: `birthday:${user_id}:${year}`,
    event_type: 'birthday',
    user_id,
    year,
    state: 'PENDING',
    anchor_date: '1990-05-20',
    timezone: 'Europe/Berlin',
    local_time: '09:00',
    leap_day_policy: 'feb28',
    tz_version: '2026c',
    local_date: fire_at === null ? null : '2026-05-20',
    fire_at,
    blocked_reason: fire_at === null ? 'unknown zone Mars/Olympus' : null,
    planned_at: '2026-01-01T00:00:00Z',
    ...columns,
  };
  await insert(sql, 'events.occurrences', row);
  return row.key;
}

/** An attempt in the ledger, column by column; a delivery at first if nothing else is said. */
export async function plantAttempt(
  sql: Sql,
  occurrence_key: string,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await insert(sql, 'events.attempts', {
    occurrence_key,
    number: 1,
    started_at: '2026-05-20T07:00:00Z',
    duration_ms: 12,
    outcome: 'delivered',
    status: 200,
    response_excerpt: 'ok',
    ...columns,
  });
}

async function insert(sql: Sql, table: string, row: Record<string, unknown>): Promise<void> {
  const names = Object.keys(row);
  const places = names.map(() => '?').join(', ');
  await sql(`insert into ${table} (${names.join(', ')}) values (${places})`, Object.values(row));
}
