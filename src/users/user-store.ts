import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { validate as isUuid } from 'uuid';

import type { TzDatabase } from '../time/tz-database.ts';
import type { Orm } from '../platform/database/orm.ts';
import { ExternalIdTakenError } from './errors.ts';
import type { UserEvent } from './events.ts';
import { claimKey, forgetAnswers, keepAnswer } from './idempotency-keys.ts';
import { publish } from './outbox.ts';
import type { UserInput } from './user-input.ts';
import type { Clock, User } from './user.ts';

export type UserStore = ReturnType<typeof createUserStore>;
export type UserTransaction = ReturnType<typeof userTransaction>;

/** What creating or changing a user takes. The clock only judges what is in the future. */
export interface UserDeps {
  readonly users: UserStore;
  readonly clock: Clock;
  readonly tz: TzDatabase;
}

/** Where a user stands in lists: by the transaction that created it, then by its id. */
export interface UserPlace {
  /** An xid8, in decimal. */
  readonly position: string;
  readonly id: string;
}

export interface UserQuery {
  /** Only users after this place. */
  readonly after: UserPlace | null;
  readonly limit: number;
  readonly externalId: string | null;
  readonly timezone: string | null;
}

export interface ListedUser extends UserPlace {
  readonly user: User;
  /** No transaction that is still running can add a user before this one. */
  readonly isFinal: boolean;
}

/**
 * The system of record in PostgreSQL. All instants are of the database's clock, `users.clock()`:
 * a process whose clock is wrong writes right ones. An id that is no uuid is no user's.
 *
 * @param traceparent of the span that the caller runs in, which goes with the events
 */
export function createUserStore(orm: Orm, traceparent: () => string | null = () => null) {
  return {
    async find(id: string): Promise<User | null> {
      if (!isUuid(id)) return null;
      const [user] = await orm.em.fork().execute<User[]>(FIND, { id });
      return user ?? null;
    },

    /** In order of `UserPlace`. */
    async list({ after, limit, externalId, timezone }: UserQuery): Promise<ListedUser[]> {
      const conditions = [
        ...(after === null ? [] : ['(position, id) > (:position::xid8, :id::uuid)']),
        ...(externalId === null ? [] : ['external_id = :externalId']),
        ...(timezone === null ? [] : ['timezone = :timezone']),
      ];
      const rows = await orm.em
        .fork()
        .execute<ListedRow[]>(list(conditions), { ...after, limit, externalId, timezone });
      return rows.map(({ position, isFinal, ...user }) => ({
        user,
        position,
        id: user.id,
        isFinal,
      }));
    },

    /** All that is written in `work` is seen by others at once, or not at all. */
    transaction: <Result>(work: (tx: UserTransaction) => Promise<Result>): Promise<Result> =>
      orm.em.fork().transactional((em) => work(userTransaction(em, traceparent))),
  };
}

function userTransaction(em: SqlEntityManager, traceparent: () => string | null) {
  return {
    /** Locks the user until the end: of two changes, the second sees what the first made. */
    async lock(id: string): Promise<User | null> {
      if (!isUuid(id)) return null;
      const [user] = await em.execute<User[]>(`${FIND} for no key update`, { id });
      return user ?? null;
    },

    /** @throws ExternalIdTakenError */
    insert: (user: UserInput & { readonly id: string }): Promise<User> => write(em, INSERT, user),

    /**
     * Writes the fields of a locked user, at a new revision. Its instants never go backwards,
     * also when the clock was set back.
     *
     * @throws ExternalIdTakenError
     */
    update: (user: User, changes: { readonly inputsChanged: boolean }): Promise<User> =>
      write(em, UPDATE, { ...user, ...changes }),

    async delete(id: string): Promise<void> {
      await em.execute('delete from users.users where id = :id', { id });
    },

    /** From `inputsChangedAt` on, the user has the inputs that it has now. */
    async openHistory(id: string): Promise<void> {
      await em.execute(OPEN_HISTORY, { id });
    },

    /** Until `inputsChangedAt` the user had those that the history says. */
    async closeHistory(id: string): Promise<void> {
      await em.execute(closeHistory('u.inputs_changed_at'), { id });
    },

    /** The user has its inputs until now. */
    async endHistory(id: string): Promise<void> {
      await em.execute(closeHistory('greatest(users.clock(), u.updated_at)'), { id });
    },

    publish: (event: UserEvent): Promise<void> => publish(em, event, traceparent()),
    claimKey: (claim: Parameters<typeof claimKey>[1]) => claimKey(em, claim),
    keepAnswer: (key: string, user: User) => keepAnswer(em, key, user),
    /** Takes the user out of kept answers; their keys stay taken. */
    forgetAnswers: (userId: string) => forgetAnswers(em, userId),
  };
}

async function write(em: SqlEntityManager, sql: string, values: object): Promise<User> {
  try {
    const [user] = await em.execute<User[]>(sql, { ...values });
    if (user === undefined) throw new Error('the user was not locked');
    return user;
  } catch (error) {
    if (
      error instanceof UniqueConstraintViolationException &&
      'constraint' in error &&
      error.constraint === 'users_external_id_key'
    ) {
      throw new ExternalIdTakenError();
    }
    throw error;
  }
}

interface ListedRow extends User {
  readonly position: string;
  readonly isFinal: boolean;
}

const ms = (column: string, name: string): string =>
  `floor(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const USER = `id, external_id as "externalId", first_name as "firstName", last_name as "lastName",
  date_of_birth::text as "dateOfBirth", timezone, ${ms('created_at', 'createdAt')},
  ${ms('updated_at', 'updatedAt')}, ${ms('inputs_changed_at', 'inputsChangedAt')}, revision`;

const FIND = `select ${USER} from users.users where id = :id::uuid`;

const list = (conditions: readonly string[]): string => `
  select ${USER}, position::text as position,
    position < pg_snapshot_xmin(pg_current_snapshot()) as "isFinal"
  from users.users
  ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
  order by users.position, users.id
  limit :limit::int`;

const INSERT = `
  with clock as materialized (select users.clock() as now)
  insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone,
    revision, created_at, updated_at, inputs_changed_at)
  select :id::uuid, :externalId::text, :firstName::text, :lastName::text, :dateOfBirth::date,
    :timezone::text, 1, now, now, now
  from clock
  returning ${USER}`;

/** The clock is read once the row is locked: a change comes after each plan that did not know it. */
const UPDATE = `
  with clock as materialized (select users.clock() as now)
  update users.users
  set external_id = :externalId::text, first_name = :firstName::text, last_name = :lastName::text,
    date_of_birth = :dateOfBirth::date, timezone = :timezone::text, revision = revision + 1,
    updated_at = greatest(clock.now, updated_at),
    inputs_changed_at = case when :inputsChanged::boolean then greatest(clock.now, updated_at)
      else inputs_changed_at end
  from clock
  where id = :id::uuid
  returning ${USER}`;

const OPEN_HISTORY = `
  insert into users.history (user_id, date_of_birth, timezone, valid_from)
  select id, date_of_birth, timezone, inputs_changed_at from users.users where id = :id::uuid`;

const closeHistory = (until: string): string => `
  update users.history as h set valid_until = ${until}
  from users.users as u
  where u.id = :id::uuid and h.user_id = u.id and h.valid_until is null`;
