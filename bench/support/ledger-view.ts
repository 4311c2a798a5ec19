/** What a bench looks at in Daybell's database while it runs. It only reads. */
import pg from 'pg';

export interface LedgerView {
  /** Events that wait to be relayed. */
  waitingToBeRelayed(): Promise<number>;
  /** Users whose next occurrence is planned. */
  planned(): Promise<number>;
  /** Of the occurrences due at an instant, epoch ms. */
  herd(fireAt: number): Promise<HerdCounts>;
  /** Ids of some users. */
  someUsers(count: number): Promise<string[]>;
  close(): Promise<void>;
}

export interface HerdCounts {
  readonly planned: number;
  /** Armed, or further. */
  readonly armed: number;
  /** Settled, and Temporal knows. */
  readonly reported: number;
  /** Armed after the instant. */
  readonly armedLate: number;
}

const HERD = `
  select count(*) as planned,
    count(*) filter (where state <> 'PENDING') as armed,
    count(*) filter (where state in ('COMPLETED', 'FAILED', 'SKIPPED') and report is null)
      as reported,
    count(*) filter (where armed_at > fire_at) as "armedLate"
  from events.occurrences where fire_at = $1`;

export async function viewLedger(databaseUrl: string): Promise<LedgerView> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  const count = async (sql: string): Promise<number> => {
    const { rows } = await client.query<{ count: string }>(sql);
    return Number(rows[0]?.count);
  };
  return {
    waitingToBeRelayed: () =>
      count('select count(*) from users.outbox where relayed_at is null and set_aside_at is null'),
    planned: () => count("select count(*) from events.occurrences where state = 'PENDING'"),
    async herd(fireAt) {
      const { rows } = await client.query<Record<string, string>>(HERD, [new Date(fireAt)]);
      const [row = {}] = rows;
      const number = (name: string): number => Number(row[name] ?? 0);
      return {
        planned: number('planned'),
        armed: number('armed'),
        reported: number('reported'),
        armedLate: number('armedLate'),
      };
    },
    async someUsers(limit) {
      const { rows } = await client.query<{ id: string }>('select id from users.users limit $1', [
        limit,
      ]);
      return rows.map(({ id }) => id);
    },
    close: () => client.end(),
  };
}
