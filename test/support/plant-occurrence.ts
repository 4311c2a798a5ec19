import { randomUUID } from 'node:crypto';

import { occurrenceKey } from '../../src/ledger/occurrence-key.ts';

type Sql = (query: string, params: unknown[]) => Promise<unknown>;

type Columns = Readonly<Record<string, unknown>>;

/**
 * A row of the ledger, column by column; gives its key. Without `due_at` it is blocked. What the
 * invariants ask of its state is filled in.
 */
export async function plantOccurrence(sql: Sql, columns: Columns = {}): Promise<string> {
  const { state = 'PENDING', ...others } = columns;
  const { user_id = randomUUID(), nominal_date = '2026-05-20' } = others;
  const { occasion_type = 'birthday', occasion_id = user_id } = columns;
  const { recurrence = occasion_type === 'birthday' ? 'birthday' : 'monthly' } = columns;
  const { due_at = '2026-05-20T07:00:00Z' } = columns;
  const occasion = { type: String(occasion_type), id: String(occasion_id) };
  const row = {
    key: occurrenceKey(occasion, String(nominal_date), String(recurrence)),
    occasion_type,
    occasion_id,
    user_id,
    nominal_date,
    // A row is PROCESSING by its lease.
    state: state === 'PROCESSING' ? 'PENDING' : state,
    recurrence,
    date: '1990-05-20',
    timezone: 'Europe/Berlin',
    local_time: '09:00',
    leap_day_policy: 'feb28',
    tz_version: '2026c',
    inputs_at: '2026-01-01T00:00:00Z',
    local_date: due_at === null ? null : nominal_date,
    due_at,
    blocked_reason: due_at === null ? 'unknown zone Mars/Olympus' : null,
    planned_at: '2026-01-01T00:00:00Z',
    ...columnsOf(String(state), due_at, columns),
    ...others,
  };
  const { rules_id, ...known } = { rules_id: undefined, ...row };
  // In one statement: a running dispatcher takes the row at once.
  const computed = rules_id === undefined ? { rules_id: RULES_IN_FORCE } : {};
  await insert(sql, 'events.occurrences', rules_id === undefined ? known : row, computed);
  return row.key;
}

const RULES_IN_FORCE = 'coalesce((select max(id) from events.rules), 0)';

/** The minimum of a row in this state. */
function columnsOf(state: string, due_at: unknown, columns: Columns): Columns {
  const settled = { settled_at: columns['settled_at'] ?? due_at ?? '2026-05-20T07:00:00Z' };
  const sent = { attempts: 1, first_attempt_at: due_at };
  const ran = columns['redeliveries'] === undefined ? {} : { redelivered_at: settled.settled_at };
  const delivered = { delivered_at: due_at, lateness_ms: 0 };
  switch (state) {
    case 'PENDING':
      return { next_attempt_at: due_at, ...ran };
    case 'PROCESSING': {
      const lease_until = columns['lease_until'] ?? new Date(Date.now() + 60_000).toISOString();
      return { lease_until, next_attempt_at: due_at, lease_token: 1, ...ran };
    }
    case 'COMPLETED':
      return { ...settled, ...sent, ...delivered, ...ran };
    case 'FAILED':
      return { ...settled, ...sent, reason: 'refused', ...ran };
    default:
      return { ...settled, reason: 'too_late', ...ran };
  }
}

/** An attempt in the ledger, column by column; a delivery by default. */
export async function plantAttempt(
  sql: Sql,
  occurrence_key: string,
  columns: Columns = {},
): Promise<void> {
  const { number = 1 } = columns;
  await insert(sql, 'events.attempts', {
    occurrence_key,
    number,
    lease_token: number,
    sent_by: 'dispatcher',
    started_at: '2026-05-20T07:00:00Z',
    duration_ms: 12,
    outcome: 'delivered',
    status: 200,
    response_excerpt: 'ok',
    ...columns,
  });
}

/** `computed` has columns as SQL. */
async function insert(
  sql: Sql,
  table: string,
  row: Columns,
  computed: Readonly<Record<string, string>> = {},
): Promise<void> {
  const names = [...Object.keys(row), ...Object.keys(computed)];
  const values = [...Object.keys(row).map(() => '?'), ...Object.values(computed)];
  await sql(
    `insert into ${table} (${names.join(', ')}) values (${values.join(', ')})`,
    Object.values(row),
  );
}
