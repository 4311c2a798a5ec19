/** What a bench reads in Daybell's database while it runs. Read-only. */
import pg from 'pg';

export interface LedgerView {
  /** Events waiting in the outbox. */
  waitingInOutbox(): Promise<number>;
  /** Occasions whose next occurrence is planned. */
  planned(): Promise<number>;
  /** Occasions whose workflow is known to sleep. */
  notified(): Promise<number>;
  /** Counts of the occurrences due at an instant, epoch ms. */
  herd(dueAt: number): Promise<HerdCounts>;
  /** Ids of some users; of some whose workflow is known to sleep. */
  someUsers(count: number): Promise<string[]>;
  someNotified(count: number): Promise<string[]>;
  close(): Promise<void>;
}

export interface HerdCounts {
  readonly planned: number;
  /** Their workflow is known to sleep. */
  readonly notified: number;
  readonly settled: number;
  /** Settled, and the workflow has checked and sleeps again. */
  readonly asleep: number;
  readonly sentByWorkflow: number;
}

const HERD = `
  select count(*) as planned,
    count(*) filter (where c.notified_wake_at is not null) as notified,
    count(*) filter (where o.settled_at is not null) as settled,
    count(*) filter (where o.settled_at is not null and c.looked_at > o.settled_at
      and c.notified_wake_at > c.looked_at) as asleep,
    count(*) filter (where exists (select from events.attempts as a
      where a.occurrence_key = o.key and a.sent_by = 'workflow')) as "sentByWorkflow"
  from events.occurrences as o
  left join events.occasions as c on c.type = o.occasion_type and c.id = o.occasion_id
  where o.due_at = $1`;

export async function viewLedger(databaseUrl: string): Promise<LedgerView> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  const count = async (sql: string): Promise<number> => {
    const { rows } = await client.query<{ count: string }>(sql);
    return Number(rows[0]?.count);
  };
  const ids = async (sql: string, limit: number): Promise<string[]> => {
    const { rows } = await client.query<{ id: string }>(sql, [limit]);
    return rows.map(({ id }) => id);
  };
  return {
    waitingInOutbox: () =>
      count('select count(*) from users.outbox where done_at is null and parked_at is null'),
    planned: () => count("select count(*) from events.occurrences where state = 'PENDING'"),
    notified: () =>
      count('select count(*) from events.occasions where notified_wake_at is not null'),
    async herd(dueAt) {
      const { rows } = await client.query<Record<string, string>>(HERD, [new Date(dueAt)]);
      const [row = {}] = rows;
      const number = (name: string): number => Number(row[name] ?? 0);
      return {
        planned: number('planned'),
        notified: number('notified'),
        settled: number('settled'),
        asleep: number('asleep'),
        sentByWorkflow: number('sentByWorkflow'),
      };
    },
    someUsers: (limit) => ids('select id from users.users limit $1', limit),
    someNotified: (limit) =>
      ids('select id from events.occasions where notified_wake_at is not null limit $1', limit),
    close: () => client.end(),
  };
}
