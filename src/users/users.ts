/** The system of record: users, the history of their schedule inputs, and an event for each change. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';

import type { TzDatabase } from '../time/tz-database.ts';
import { retryConflicts } from '../platform/database/conflicts.ts';
import type { Orm } from '../platform/database/orm.ts';
import { UserError } from './errors.ts';
import { claimKey, forgetAnswers, keepAnswer } from './idempotency-keys.ts';
import { publish } from './outbox.ts';
import { changeSuspension, NOT_SUSPENDED } from './suspension.ts';
import {
  INPUT_FIELDS,
  refuseUnborn,
  type User,
  type UserFields,
  type UserInput,
  type UserPatch,
} from './user.ts';
import { listUsers, type UserQuery } from './user-list.ts';
import {
  type AcceptsRevision,
  ANY,
  closeHistory,
  deleteUser,
  findUser,
  insertUser,
  lockUser,
  openHistory,
  updateUser,
  type UserRef,
} from './user-rows.ts';

export type Users = ReturnType<typeof createUsers>;

export interface UsersContext {
  /** Decides only which dates are in the future: what is written uses the database's clock. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
  /** Returns the `traceparent` of the current span, to be stored with the events. */
  readonly traceparent?: (() => string | null) | undefined;
}

/** In the order in which an event lists changed fields. */
const FIELDS: readonly (keyof UserFields)[] = [
  'externalId',
  'firstName',
  'lastName',
  'dateOfBirth',
  'timezone',
  'deliveryTime',
  'suspended',
  'suspendedReason',
];

/** How often an upsert tries again when others create or delete the same user meanwhile. */
const UPSERT_TRIES = 5;

/** The operations of the User Context. */
export function createUsers(orm: Orm, { clock, tz, traceparent = () => null }: UsersContext) {
  const transaction = <Result>(work: (em: SqlEntityManager) => Promise<Result>): Promise<Result> =>
    retryConflicts(() => orm.em.fork().transactional(work));
  /**
   * Adds the user that has the external id to the refusal: the failed transaction cannot query it.
   */
  const namingHolder = async <Result>(
    externalId: string | null | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      const isTaken = error instanceof UserError && error.code === 'external-id-taken';
      if (!isTaken || typeof externalId !== 'string') throw error;
      const holder = await findUser(orm.em.fork(), { externalId }).catch(() => null);
      throw new UserError(error.code, '', holder && { userId: holder.id });
    }
  };

  const users = {
    /** @throws UserError user-not-found, revision-mismatch */
    get: (ref: UserRef, accepts: AcceptsRevision = ANY): Promise<User> =>
      findUser(orm.em.fork(), ref, accepts),

    list: (query: UserQuery) => listUsers(orm.em.fork(), query),

    /**
     * Creates a user. The same `idempotencyKey` with the same input returns the user that the first
     * call created, as it was then.
     *
     * @throws InvalidInputError
     * @throws UserError external-id-taken, idempotency-key-reused, idempotent-user-deleted
     */
    async create(input: UserInput, idempotencyKey: string | null = null): Promise<User> {
      refuseUnborn(input, clock(), tz);
      const fields = { ...input, ...changeSuspension(NOT_SUSPENDED, input) };
      const id = uuidv7();
      const request = { creates: 'user', userId: id, input: fields } as const;
      return namingHolder(input.externalId, () =>
        transaction(async (em) => {
          if (idempotencyKey !== null) {
            const earlier = await claimKey<User>(em, { key: idempotencyKey, ...request });
            if (earlier !== null) return earlier;
          }
          const user = await insertUser(em, { id, ...fields });
          await openHistory(em, id);
          const { revision } = user;
          await publish(
            em,
            { type: 'UserCreated', userId: id, revision, needsPlan: true },
            traceparent(),
          );
          if (idempotencyKey !== null) await keepAnswer(em, idempotencyKey, user);
          return user;
        }),
      );
    },

    /**
     * Sets the given fields, in one transaction with the history and the event. If nothing changes,
     * nothing is recorded.
     *
     * @throws InvalidInputError
     * @throws UserError user-not-found, revision-mismatch, external-id-taken
     */
    async update(ref: UserRef, fields: UserPatch, accepts: AcceptsRevision = ANY): Promise<User> {
      return namingHolder(fields.externalId, () =>
        transaction(async (em) => {
          const current = await lockUser(em, ref, accepts);
          const given = FIELDS.filter((field) => fields[field] !== undefined);
          const next: User = {
            ...current,
            ...Object.fromEntries(given.map((field) => [field, fields[field]])),
            ...changeSuspension(current, fields),
          };
          const changed = FIELDS.filter((field) => next[field] !== current[field]);
          if (changed.length === 0) return current;
          const inputsChanged = changed.some((field) => INPUT_FIELDS.includes(field));
          if (changed.includes('dateOfBirth') || changed.includes('timezone')) {
            const field = changed.includes('dateOfBirth') ? 'dateOfBirth' : 'timezone';
            refuseUnborn(next, clock(), tz, field);
          }

          const user = await updateUser(em, { ...next, inputsChanged });
          const { id: userId, revision } = user;
          if (inputsChanged) {
            await closeHistory(em, userId);
            await openHistory(em, userId);
          }
          await publish(
            em,
            { type: 'UserUpdated', userId, revision, changed, needsPlan: inputsChanged },
            traceparent(),
          );
          return user;
        }),
      );
    },

    /**
     * Replaces the user with this external id, or creates it. Writes nothing if it is already the
     * same.
     *
     * @throws InvalidInputError
     * @throws UserError revision-mismatch
     */
    async put(
      externalId: string,
      fields: Omit<UserInput, 'externalId'>,
      accepts: AcceptsRevision = ANY,
    ): Promise<{ readonly user: User; readonly created: boolean }> {
      const input = { ...fields, externalId };
      for (let tries = 1; ; tries += 1) {
        try {
          return { user: await users.update({ externalId }, input, accepts), created: false };
        } catch (error) {
          if (!isUserError(error, 'user-not-found')) throw error;
        }
        if (!accepts(null)) throw new UserError('revision-mismatch', 'There is no such user.');
        try {
          return { user: await users.create(input), created: true };
        } catch (error) {
          if (tries === UPSERT_TRIES || !isUserError(error, 'external-id-taken')) throw error;
        }
      }
    },

    /**
     * Deletes a user, with every stored name and external id, and with its occasions. The history
     * of schedule inputs stays for the audit, and so does the ledger.
     *
     * @throws UserError user-not-found, revision-mismatch
     */
    async delete(ref: UserRef, accepts: AcceptsRevision = ANY): Promise<void> {
      await transaction(async (em) => {
        const { id: userId, revision } = await lockUser(em, ref, accepts);
        await deleteUser(em, userId);
        await forgetAnswers(em, userId);
        await publish(
          em,
          { type: 'UserDeleted', userId, revision: revision + 1, needsPlan: true },
          traceparent(),
        );
      });
    },
  };
  return users;
}

function isUserError(error: unknown, code: UserError['code']): boolean {
  return error instanceof UserError && error.code === code;
}
