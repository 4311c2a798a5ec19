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

/** What an operator can do about entries that could not be processed. */
export function createOutboxAdmin(orm: Orm) {
  return {
    /** The oldest first. */
    listParked: (limit: number) => orm.em.fork().execute<ParkedEntry[]>(LIST_PARKED, { limit }),

    /** Lets parked entries wait again, all or by id, as if they had never failed. Gives how many. */
    async retry(ids: readonly string[] | 'all'): Promise<number> {
      const sql = ids === 'all' ? RETRY : `${RETRY} and id in (${SELECTED})`;
      const { affectedRows } = await orm.em
        .fork()
        .execute<{ affectedRows: number }>(sql, { ids: JSON.stringify(ids) }, 'run');
      return affectedRows;
    },
  };
}

const LIST_PARKED = `
  select id::text, type, user_id as "userId", revision, attempts as failures,
    (extract(epoch from parked_at) * 1000)::float8 as "parkedAt", last_error as error
  from users.outbox
  where parked_at is not null
  order by id
  limit :limit::int`;

/** What went wrong before is kept until it goes wrong again. */
const RETRY = `
  update users.outbox set parked_at = null, attempts = 0, available_at = users.clock()
  where parked_at is not null`;

const SELECTED = 'select value::bigint from jsonb_array_elements_text(:ids::jsonb)';
