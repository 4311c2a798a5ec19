/** The system of record: users, the history of their schedule inputs, and an event for each change. */
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { validate as isUuid, v7 as uuidv7 } from 'uuid';

import type { TzDatabase } from '../time/tz-database.ts';
import { retryConflicts } from '../platform/database/conflicts.ts';
import type { Orm } from '../platform/database/orm.ts';
import { UserError } from './errors.ts';
import { claimKey, forgetAnswers, keepAnswer } from './idempotency-keys.ts';
import { publish, type UserEvent } from './outbox.ts';
import { INPUT_FIELDS, refuseUnborn, type User, type UserInput, type UserPatch } from './user.ts';

export type Users = ReturnType<typeof createUsers>;

interface UsersContext {
  /** Only judges which dates are in the future: what is written is by the database's clock. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
  /** Of the current span, to be stored with the events. */
  readonly traceparent?: (() => string | null) | undefined;
}

/** Whether a caller accepts a revision as the current one. */
type AcceptsRevision = (revision: number) => boolean;

/** The position of a user in lists: by the transaction that created it, then by its id. */
export interface UserPlace {
  /** An xid8, in decimal. */
  readonly position: string;
  readonly id: string;
}

interface UserQuery {
  readonly after: UserPlace | null;
  readonly limit: number;
  readonly externalId: string | null;
  readonly timezone: string | null;
}

const ANY: AcceptsRevision = () => true;

/** The verbs of the User Context. An id that is not a UUID belongs to no user. */
export function createUsers(orm: Orm, { clock, tz, traceparent = () => null }: UsersContext) {
  const transaction = <Result>(work: (em: SqlEntityManager) => Promise<Result>): Promise<Result> =>
    retryConflicts(() => orm.em.fork().transactional(work));
  const announce = (em: SqlEntityManager, event: UserEvent) => publish(em, event, traceparent());

  return {
    /** @throws UserError user-not-found, revision-mismatch */
    get: (id: string, accepts: AcceptsRevision = ANY): Promise<User> =>
      find(orm.em.fork(), FIND, id, accepts),

    /**
     * A page of users in order of creation. It ends before any user that a running transaction
     * could still put in front of it, so that the next page shows that one: it can be short. `next`
     * is the place after which the next page begins; null on the last page.
     */
    async list({ after, limit, externalId, timezone }: UserQuery) {
      const conditions = [
        ...(after === null ? [] : ['(position, id) > (:position::xid8, :id::uuid)']),
        ...(externalId === null ? [] : ['external_id = :externalId']),
        ...(timezone === null ? [] : ['timezone = :timezone']),
      ];
      const values = { ...after, externalId, timezone, limit: limit + 1 };
      const found = await orm.em.fork().execute<ListedRow[]>(listSql(conditions), values);
      // One more row than the page holds tells whether there is a next page.
      if (found.length <= limit) return { users: found, next: null };

      const rows = found.slice(0, limit);
      const firstOpen = rows.findIndex(({ isFinal }) => !isFinal);
      const page = firstOpen === -1 ? rows : rows.slice(0, firstOpen);
      const { position, id } = page.at(-1) ?? after ?? BEGINNING;
      return { users: page, next: { position, id } };
    },

    /**
     * Creates a user. The same `idempotencyKey` with the same input returns the user that the first
     * call created, as it was then.
     *
     * @throws InvalidInputError
     * @throws UserError external-id-taken, idempotency-key-reused, idempotent-user-deleted
     */
    async create(input: UserInput, idempotencyKey: string | null = null): Promise<User> {
      refuseUnborn(input, clock(), tz);
      const id = uuidv7();
      return transaction(async (em) => {
        if (idempotencyKey !== null) {
          const earlier = await claimKey(em, idempotencyKey, input, id);
          if (earlier !== null) return earlier;
        }
        const user = await write(em, INSERT, { id, ...input });
        await em.execute(OPEN_HISTORY, { id });
        await announce(em, { type: 'UserCreated', userId: id, revision: user.revision });
        if (idempotencyKey !== null) await keepAnswer(em, idempotencyKey, user);
        return user;
      });
    },

    /**
     * Sets the given fields, in one transaction with the history and the event. A change of nothing
     * leaves no trace.
     *
     * @throws InvalidInputError
     * @throws UserError user-not-found, revision-mismatch, external-id-taken
     */
    async update(id: string, fields: UserPatch, accepts: AcceptsRevision = ANY): Promise<User> {
      return transaction(async (em) => {
        const current = await lock(em, id, accepts);
        const changed = (Object.keys(fields) as (keyof UserInput)[]).filter(
          (field) => fields[field] !== undefined && fields[field] !== current[field],
        );
        if (changed.length === 0) return current;
        const next: User = {
          ...current,
          ...Object.fromEntries(changed.map((field) => [field, fields[field]])),
        };
        const inputsChanged = changed.some((field) => INPUT_FIELDS.includes(field));
        if (inputsChanged) {
          const field = changed.includes('dateOfBirth') ? 'dateOfBirth' : 'timezone';
          refuseUnborn(next, clock(), tz, field);
        }

        const user = await write(em, UPDATE, { ...next, inputsChanged });
        if (inputsChanged) {
          await em.execute(closeHistory('u.inputs_changed_at'), { id });
          await em.execute(OPEN_HISTORY, { id });
        }
        await announce(em, {
          type: 'UserUpdated',
          userId: id,
          revision: user.revision,
          changed,
        });
        return user;
      });
    },

    /**
     * Deletes a user, with every name and external id that is kept. The history of schedule inputs
     * stays for the audit, and so does the ledger.
     *
     * @throws UserError user-not-found, revision-mismatch
     */
    async delete(id: string, accepts: AcceptsRevision = ANY): Promise<void> {
      await transaction(async (em) => {
        const user = await lock(em, id, accepts);
        // First: the history ends at the user's last instant, which goes with the user.
        await em.execute(closeHistory('greatest(users.clock(), u.updated_at)'), { id });
        await em.execute('delete from users.users where id = :id', { id });
        await forgetAnswers(em, id);
        await announce(em, { type: 'UserDeleted', userId: id, revision: user.revision + 1 });
      });
    },
  };
}

async function find(
  em: SqlEntityManager,
  sql: string,
  id: string,
  accepts: AcceptsRevision,
): Promise<User> {
  const [user] = isUuid(id) ? await em.execute<User[]>(sql, { id }) : [];
  if (user === undefined) throw new UserError('user-not-found');
  if (accepts(user.revision)) return user;
  throw new UserError('revision-mismatch', `The user is at revision ${user.revision}.`);
}

/** Locks a user until the transaction ends: of two changes, the second sees what the first made. */
function lock(em: SqlEntityManager, id: string, accepts: AcceptsRevision): Promise<User> {
  return find(em, `${FIND} for no key update`, id, accepts);
}

/** @throws UserError external-id-taken */
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
      throw new UserError('external-id-taken');
    }
    throw error;
  }
}

interface ListedRow extends User, UserPlace {
  /** No transaction that is still running can add a user before this one. */
  readonly isFinal: boolean;
}

const BEGINNING: UserPlace = { position: '0', id: '00000000-0000-0000-0000-000000000000' };

const ms = (column: string, name: string): string =>
  `floor(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

const USER = `id, external_id as "externalId", first_name as "firstName", last_name as "lastName",
  date_of_birth::text as "dateOfBirth", timezone, ${ms('created_at', 'createdAt')},
  ${ms('updated_at', 'updatedAt')}, ${ms('inputs_changed_at', 'inputsChangedAt')}, revision`;

const FIND = `select ${USER} from users.users where id = :id::uuid`;

const listSql = (conditions: readonly string[]): string => `
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

/**
 * The clock is read once the row is locked: a change comes after each plan that did not know it.
 * Instants never go backwards, even when the clock was set back.
 */
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
