import { type OutboxDesk, SCHEDULING } from '../users/outbox.ts';
import type { SetAsideEntry, SubscriberProgress } from '../users/outbox.ts';
import type { Orm } from './orm.ts';

/** What an operator does with the outbox, on PostgreSQL. */
export function createOutboxDesk(orm: Orm): OutboxDesk {
  const run = async (sql: string, params: unknown[]): Promise<number> =>
    (await orm.em.fork().execute<{ affectedRows: number }>(sql, params, 'run')).affectedRows;

  return {
    subscribers: () => orm.em.fork().execute<SubscriberProgress[]>(SUBSCRIBERS),
    setAside: (limit) => orm.em.fork().execute<SetAsideEntry[]>(SET_ASIDE, [limit]),

    putBack(ids) {
      if (ids === 'all') return run(PUT_BACK, []);
      return run(`${PUT_BACK} and id in (${SELECTED})`, [JSON.stringify(ids)]);
    },

    async unsubscribe(subscriber) {
      if (subscriber === SCHEDULING) throw new Error(`${SCHEDULING} cannot be unsubscribed.`);
      return orm.em.fork().transactional(async (em) => {
        const gone = await em.execute<object[]>(UNSUBSCRIBE, [subscriber]);
        const dropped = (await em.execute<object[]>(DROP_WAITING, [subscriber])).length;
        return gone.length + dropped === 0 ? null : dropped;
      });
    },
  };
}

/** Also of one that was unsubscribed while an event for it was being written. */
const SUBSCRIBERS = `
  select coalesce(name, subscriber) as name,
    count(o.id) filter (where o.set_aside_at is null)::int as length,
    coalesce(greatest(0, extract(epoch from clock_timestamp() -
      min(o.occurred_at) filter (where o.set_aside_at is null)) * 1000), 0)::float8 as "oldestAgeMs",
    count(o.set_aside_at)::int as "setAside"
  from users.subscribers as s
  full join (select * from users.outbox where relayed_at is null) as o on o.subscriber = s.name
  group by 1
  order by 1`;

const SET_ASIDE = `
  select id, subscriber, type, user_id as "userId", revision, attempts as failures,
    (extract(epoch from set_aside_at) * 1000)::float8 as "setAsideAt", last_error as error
  from users.outbox
  where set_aside_at is not null
  order by id
  limit ?`;

/** What went wrong before is kept until it goes wrong again. */
const PUT_BACK = `
  update users.outbox set set_aside_at = null, attempts = 0, next_attempt_at = null
  where set_aside_at is not null`;

const SELECTED = 'select value::bigint from jsonb_array_elements_text(?::jsonb)';

const UNSUBSCRIBE = 'delete from users.subscribers where name = ? returning name';

const DROP_WAITING = `
  delete from users.outbox where subscriber = ? and relayed_at is null returning id`;
