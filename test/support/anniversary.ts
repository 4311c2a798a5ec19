/** A second event type, with all that is its own: a table for its dates, its words, its subscriber. */
import type { EventTypeDefinition } from '../../src/event-types/registry.ts';
import type { Scheduler } from '../../src/events/scheduling.ts';
import type { Orm } from '../../src/persistence/orm.ts';
import type { Subscriber } from '../../src/users/events.ts';

export const ANNIVERSARY = 'anniversary';

export const anniversary: EventTypeDefinition = {
  name: ANNIVERSARY,
  facts: {
    facts: `
      select dates.user_id, dates.celebrated_on as anchor_date, users.timezone,
        dates.known_since as created_at,
        greatest(dates.changed_at, users.facts_changed_at) as changed_at
      from anniversaries.dates as dates join users.users as users on users.id = dates.user_id`,
    history: null,
  },
  message: ({ firstName }) => `Happy anniversary, ${firstName}`,
};

export interface Anniversaries {
  readonly subscriber: Subscriber;
  /** The user celebrates on this date, known and unchanged since an instant (epoch ms). */
  set(userId: string, date: string, knownSince: number): Promise<void>;
  remove(userId: string): Promise<void>;
}

/** Their own schema, in the same database. */
export async function createAnniversaries(orm: Orm, scheduler: Scheduler): Promise<Anniversaries> {
  const sql = (query: string, ...params: unknown[]) =>
    orm.em.fork().execute<{ user_id: string }[]>(query, params);
  await sql(`
    create schema anniversaries;
    create table anniversaries.dates (
      user_id uuid primary key,
      celebrated_on date not null,
      known_since timestamptz not null,
      changed_at timestamptz not null
    )`);

  return {
    subscriber: {
      name: 'anniversaries',
      wants: (event) =>
        event.type === 'UserDeleted' ||
        (event.type === 'UserUpdated' && event.changed.includes('timezone')),
      async handle({ type, userId, revision }) {
        const isDeleted = type === 'UserDeleted';
        const find = 'select user_id from anniversaries.dates where user_id = ?';
        if ((await sql(find, userId)).length === 0) return;
        const tell = isDeleted ? scheduler.userDeleted : scheduler.userChanged;
        await tell(ANNIVERSARY, { userId, revision });
        if (isDeleted) await sql('delete from anniversaries.dates where user_id = ?', userId);
      },
    },
    async set(userId, date, knownSince) {
      await sql(
        `insert into anniversaries.dates
         values (?, ?, to_timestamp(?::float8 / 1000), to_timestamp(?::float8 / 1000))`,
        userId,
        date,
        knownSince,
        knownSince,
      );
      await scheduler.replan(ANNIVERSARY, userId);
    },
    async remove(userId) {
      await sql('delete from anniversaries.dates where user_id = ?', userId);
      await scheduler.replan(ANNIVERSARY, userId);
    },
  };
}
