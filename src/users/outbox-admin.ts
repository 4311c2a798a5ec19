import type { Orm } from '../platform/database/orm.ts';

export interface ParkedEntry {
  readonly id: string;
  readonly type: string;
  readonly userId: string;
  readonly revision: number;
  /** Epoch ms. */
  readonly parkedAt: number;
  readonly failures: number;
  readonly error: string | null;
}

export interface OutboxBacklog {
  /** Entries that wait; parked ones do not count. */
  readonly length: number;
  /** Age of the oldest of them in ms; 0 when none waits. */
  readonly oldestAgeMs: number;
  readonly parked: number;
}

/** What operators see of the outbox, and what they can do about entries that were parked. */
export function createOutboxAdmin(orm: Orm) {
  return {
    async backlog(): Promise<OutboxBacklog> {
      const [row] = await orm.em.fork().execute<OutboxBacklog[]>(BACKLOG);
      return row ?? { length: 0, oldestAgeMs: 0, parked: 0 };
    },

    /** The oldest first. */
    listParked: (limit: number) => orm.em.fork().execute<ParkedEntry[]>(LIST_PARKED, { limit }),

    /** Queues parked entries again, all or by id, as if they had never failed. Returns how many. */
    async retry(ids: readonly string[] | 'all'): Promise<number> {
      const sql = ids === 'all' ? RETRY : `${RETRY} and id in (${SELECTED})`;
      const { affectedRows } = await orm.em
        .fork()
        .execute<{ affectedRows: number }>(sql, { ids: JSON.stringify(ids) }, 'run');
      return affectedRows;
    },
  };
}

const BACKLOG = `
  select count(*)::int as length, coalesce(greatest(0,
      extract(epoch from users.clock() - min(occurred_at)) * 1000), 0)::float8 as "oldestAgeMs",
    (select count(*) from users.outbox where parked_at is not null)::int as parked
  from users.outbox
  where done_at is null and parked_at is null`;

const LIST_PARKED = `
  select id::text, type, user_id as "userId", revision, attempts as failures,
    (extract(epoch from parked_at) * 1000)::float8 as "parkedAt", last_error as error
  from users.outbox
  where parked_at is not null
  order by id
  limit :limit::int`;

/** `last_error` stays until the next failure. */
const RETRY = `
  update users.outbox set parked_at = null, attempts = 0, available_at = users.clock()
  where parked_at is not null`;

const SELECTED = 'select value::bigint from jsonb_array_elements_text(:ids::jsonb)';
