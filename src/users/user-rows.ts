/** The rows of users, and the history of their schedule inputs. */
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { validate as isUuid } from 'uuid';

import { UserError } from './errors.ts';
import type { User } from './user.ts';

/** A user by its id, or by the caller's own. An id that is not a UUID belongs to no user. */
export type UserRef = string | { readonly externalId: string };

/** Whether a caller accepts a revision as the current one; null: it does not exist yet. */
export type AcceptsRevision = (revision: number | null) => boolean;

export const ANY: AcceptsRevision = () => true;

/** @throws UserError user-not-found, revision-mismatch */
export async function findUser(
  em: SqlEntityManager,
  ref: UserRef,
  accepts: AcceptsRevision = ANY,
): Promise<User> {
  return find(em, FIND, ref, accepts);
}

/**
 * The same, but locks the user until the transaction ends: of two changes of a user or of its
 * occasions, the second sees the result of the first.
 *
 * @throws UserError user-not-found, revision-mismatch
 */
export async function lockUser(
  em: SqlEntityManager,
  ref: UserRef,
  accepts: AcceptsRevision = ANY,
): Promise<User> {
  return find(em, `${FIND} for no key update`, ref, accepts);
}

async function find(
  em: SqlEntityManager,
  sql: string,
  ref: UserRef,
  accepts: AcceptsRevision,
): Promise<User> {
  const condition = userCondition(ref);
  const [user] = await em.execute<User[]>(sql.replace(':user', condition.sql), condition.values);
  if (user === undefined) throw new UserError('user-not-found');
  refuseRevision('user', user.revision, accepts);
  return user;
}

/** @throws UserError revision-mismatch */
export function refuseRevision(
  what: 'user' | 'occasion',
  revision: number,
  accepts: AcceptsRevision,
): void {
  if (accepts(revision)) return;
  throw new UserError('revision-mismatch', `The ${what} is at revision ${revision}.`);
}

/** SQL for the row of `users.users as u` that is meant, and the values that it needs. */
export function userCondition(ref: UserRef) {
  if (typeof ref !== 'string') {
    return {
      sql: 'u.external_id = :userExternalId::text',
      values: { userExternalId: ref.externalId },
    };
  }
  if (!isUuid(ref)) return { sql: 'false', values: {} };
  return { sql: 'u.id = :userId::uuid', values: { userId: ref } };
}

/** @throws UserError external-id-taken */
export function insertUser(em: SqlEntityManager, user: UserWrite): Promise<User> {
  return write(em, INSERT, user);
}

/** @throws UserError external-id-taken */
export function updateUser(
  em: SqlEntityManager,
  user: UserWrite & { readonly inputsChanged: boolean },
): Promise<User> {
  return write(em, UPDATE, user);
}

type UserWrite = Omit<User, 'createdAt' | 'updatedAt' | 'inputsChangedAt' | 'revision'>;

async function write(em: SqlEntityManager, sql: string, values: UserWrite): Promise<User> {
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

/** Begins a period of the history, at the instant from which the current inputs are in force. */
export async function openHistory(em: SqlEntityManager, id: string): Promise<void> {
  await em.execute(OPEN_HISTORY, { id });
}

/** Ends the current period, where the next one begins. */
export async function closeHistory(em: SqlEntityManager, id: string): Promise<void> {
  await em.execute(CLOSE_HISTORY, { id });
}

/** Deletes a user with its occasions. Their histories end at one instant, and stay for the audit. */
export async function deleteUser(em: SqlEntityManager, id: string): Promise<void> {
  // First, because each row holds the last instant of its history.
  await em.execute(END_HISTORIES, { id });
  await em.execute('delete from users.users where id = :id', { id });
}

export const epochMs = (column: string, name: string): string =>
  `floor(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

/** The columns of a {@link User}, from `users.users as u`. */
export const USER = `u.id, u.external_id as "externalId", u.first_name as "firstName",
  u.last_name as "lastName", u.date_of_birth::text as "dateOfBirth", u.timezone,
  u.delivery_time as "deliveryTime", u.suspended, u.suspended_reason as "suspendedReason",
  ${epochMs('u.created_at', 'createdAt')}, ${epochMs('u.updated_at', 'updatedAt')},
  ${epochMs('u.inputs_changed_at', 'inputsChangedAt')}, u.revision`;

const FIND = `select ${USER} from users.users as u where :user`;

const INSERT = `
  with clock as materialized (select users.clock() as now)
  insert into users.users as u (id, external_id, first_name, last_name, date_of_birth, timezone,
    delivery_time, suspended, suspended_reason, revision, created_at, updated_at, inputs_changed_at)
  select :id::uuid, :externalId::text, :firstName::text, :lastName::text, :dateOfBirth::date,
    :timezone::text, :deliveryTime::text, :suspended::boolean, :suspendedReason::text, 1,
    now, now, now
  from clock
  returning ${USER}`;

/**
 * The clock is read after the row is locked, so that a change comes after every plan that did not
 * know it. Instants never go backwards, even if the clock was set back.
 */
const UPDATE = `
  with clock as materialized (select users.clock() as now)
  update users.users as u
  set external_id = :externalId::text, first_name = :firstName::text, last_name = :lastName::text,
    date_of_birth = :dateOfBirth::date, timezone = :timezone::text,
    delivery_time = :deliveryTime::text, suspended = :suspended::boolean,
    suspended_reason = :suspendedReason::text, revision = u.revision + 1,
    updated_at = greatest(clock.now, u.updated_at),
    inputs_changed_at = case when :inputsChanged::boolean then greatest(clock.now, u.updated_at)
      else u.inputs_changed_at end
  from clock
  where u.id = :id::uuid
  returning ${USER}`;

const OPEN_HISTORY = `
  insert into users.history
    (user_id, date_of_birth, timezone, delivery_time, suspended, valid_from)
  select id, date_of_birth, timezone, delivery_time, suspended, inputs_changed_at
  from users.users where id = :id::uuid`;

const CLOSE_HISTORY = `
  update users.history as h set valid_until = u.inputs_changed_at
  from users.users as u
  where u.id = :id::uuid and h.user_id = u.id and h.valid_until is null`;

const END_HISTORIES = `
  with clock as materialized (select users.clock() as now),
  of_user as (
    update users.history as h set valid_until = greatest(clock.now, u.updated_at)
    from users.users as u, clock
    where u.id = :id::uuid and h.user_id = u.id and h.valid_until is null
  )
  update users.occasion_periods as p set valid_until = greatest(clock.now, o.updated_at)
  from users.occasions as o, clock
  where o.user_id = :id::uuid and p.occasion_id = o.id and p.valid_until is null`;
