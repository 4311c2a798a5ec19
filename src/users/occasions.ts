/** Occasions of users besides the birthday, their history, and an event for each change. */
import { isDeepStrictEqual } from 'node:util';

import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';

import { retryConflicts } from '../platform/database/conflicts.ts';
import type { Orm } from '../platform/database/orm.ts';
import { UserError } from './errors.ts';
import { claimKey, forgetAnswers, keepAnswer } from './idempotency-keys.ts';
import {
  type AddressedOccasionInput,
  type Occasion,
  OCCASION_INPUT_FIELDS,
  type OccasionFields,
  type OccasionInput,
  type OccasionPatch,
  refuseUnfit,
  withImplied,
} from './occasion.ts';
import {
  closePeriod,
  deleteOccasion,
  findHolder,
  findOccasion,
  insertOccasion,
  listOccasions,
  lockOccasion,
  type OccasionQuery,
  type OccasionRef,
  openPeriod,
  updateOccasion,
} from './occasion-rows.ts';
import { asStored } from './occasion-data.ts';
import { publish } from './outbox.ts';
import { changeSuspension, NOT_SUSPENDED } from './suspension.ts';
import { type AcceptsRevision, ANY, lockUser, type UserRef } from './user-rows.ts';
import type { UsersContext } from './users.ts';

export type Occasions = ReturnType<typeof createOccasions>;

/** In the order in which an event lists changed fields. */
const FIELDS: readonly (keyof OccasionPatch)[] = [
  'externalId',
  'date',
  'recurrence',
  'rrule',
  'offsetDays',
  'deliveryTime',
  'timezone',
  'data',
  'suspended',
  'suspendedReason',
];

/**
 * Operations on occasions. Each change locks the user first, so that the histories of a user and of
 * its occasions stay in order.
 */
export function createOccasions(
  orm: Orm,
  { traceparent = () => null }: Pick<UsersContext, 'traceparent'>,
) {
  const transaction = <Result>(work: (em: SqlEntityManager) => Promise<Result>): Promise<Result> =>
    retryConflicts(() => orm.em.fork().transactional(work));

  async function insert(
    em: SqlEntityManager,
    userId: string,
    id: string,
    fields: OccasionFields,
  ): Promise<Occasion> {
    await refuseTaken(em, userId, id, fields);
    const occasion = await insertOccasion(em, userId, id, fields);
    await openPeriod(em, id);
    await announce(em, 'OccasionCreated', occasion, { needsPlan: true });
    return occasion;
  }

  async function change(
    em: SqlEntityManager,
    current: Occasion,
    patch: OccasionPatch,
  ): Promise<Occasion> {
    const next = { ...current, ...changeFields(current, patch) };
    const changed = FIELDS.filter((field) => !isDeepStrictEqual(next[field], current[field]));
    if (changed.length === 0) return current;
    if (changed.includes('externalId')) await refuseTaken(em, current.userId, current.id, next);

    const inputsChanged = changed.some((field) => OCCASION_INPUT_FIELDS.includes(field));
    const occasion = await updateOccasion(em, next, inputsChanged);
    if (inputsChanged) {
      await closePeriod(em, occasion.id);
      await openPeriod(em, occasion.id);
    }
    await announce(em, 'OccasionUpdated', occasion, { changed, needsPlan: inputsChanged });
    return occasion;
  }

  async function announce(
    em: SqlEntityManager,
    type: 'OccasionCreated' | 'OccasionUpdated' | 'OccasionDeleted',
    { userId, id, type: occasionType, revision }: Occasion,
    what: { readonly changed?: readonly string[]; readonly needsPlan: boolean },
  ): Promise<void> {
    const occasion = { type: occasionType, id };
    await publish(em, { type, userId, occasion, revision, ...what }, traceparent());
  }

  return {
    /** @throws UserError user-not-found, occasion-not-found, revision-mismatch */
    get: (user: UserRef, ref: OccasionRef, accepts: AcceptsRevision = ANY): Promise<Occasion> =>
      findOccasion(orm.em.fork(), user, ref, accepts),

    /** A page of a user's occasions, by id. @throws UserError user-not-found */
    list: (user: UserRef, query: OccasionQuery) => listOccasions(orm.em.fork(), user, query),

    /**
     * Creates an occasion. The same `idempotencyKey` with the same input returns the occasion that
     * the first call created, as it was then.
     *
     * @throws InvalidInputError
     * @throws UserError user-not-found, occasion-external-id-taken, idempotency-key-reused,
     *   idempotent-occasion-deleted
     */
    async create(
      user: UserRef,
      input: OccasionInput,
      idempotencyKey: string | null = null,
    ): Promise<Occasion> {
      const fields = newFields(input);
      return transaction(async (em) => {
        const { id: userId } = await lockUser(em, user);
        if (idempotencyKey === null) return insert(em, userId, uuidv7(), fields);
        const request = { creates: 'occasion', userId, input: fields } as const;
        const earlier = await claimKey<Occasion>(em, { key: idempotencyKey, ...request });
        if (earlier !== null) return earlier;
        const occasion = await insert(em, userId, uuidv7(), fields);
        await keepAnswer(em, idempotencyKey, occasion);
        return occasion;
      });
    },

    /**
     * Sets the given fields, in one transaction with the history and the event. If nothing changes,
     * nothing is recorded.
     *
     * @throws InvalidInputError
     * @throws UserError user-not-found, occasion-not-found, revision-mismatch,
     *   occasion-external-id-taken
     */
    update: (
      user: UserRef,
      ref: OccasionRef,
      patch: OccasionPatch,
      accepts: AcceptsRevision = ANY,
    ): Promise<Occasion> =>
      transaction(async (em) => {
        const { id: userId } = await lockUser(em, user);
        return change(em, await lockOccasion(em, userId, ref, accepts), patch);
      }),

    /**
     * Replaces the user's occasion of this type with this external id, or creates it. Writes
     * nothing if it is already the same.
     *
     * @throws InvalidInputError
     * @throws UserError user-not-found, revision-mismatch
     */
    async put(
      user: UserRef,
      { type, externalId }: { readonly type: string; readonly externalId: string },
      input: AddressedOccasionInput,
      accepts: AcceptsRevision = ANY,
    ): Promise<{ readonly occasion: Occasion; readonly created: boolean }> {
      return transaction(async (em) => {
        const { id: userId } = await lockUser(em, user);
        const id = await findHolder(em, userId, type, externalId);
        if (id !== null) {
          const current = await lockOccasion(em, userId, id, accepts);
          const occasion = await change(em, current, { ...input, externalId });
          return { occasion, created: false };
        }
        if (!accepts(null)) throw new UserError('revision-mismatch', 'There is no such occasion.');
        const fields = newFields({ ...input, type, externalId });
        return { occasion: await insert(em, userId, uuidv7(), fields), created: true };
      });
    },

    /**
     * Deletes an occasion. The history of its schedule inputs stays for the audit, and so does the
     * ledger.
     *
     * @throws UserError user-not-found, occasion-not-found, revision-mismatch
     */
    async delete(user: UserRef, ref: OccasionRef, accepts: AcceptsRevision = ANY): Promise<void> {
      await transaction(async (em) => {
        const { id: userId } = await lockUser(em, user);
        const occasion = await lockOccasion(em, userId, ref, accepts);
        await deleteOccasion(em, occasion.id);
        await forgetAnswers(em, userId, occasion.id);
        const deleted = { ...occasion, revision: occasion.revision + 1 };
        await announce(em, 'OccasionDeleted', deleted, { needsPlan: true });
      });
    },
  };
}

/** @throws InvalidInputError */
function newFields(input: OccasionInput): OccasionFields {
  const fields = withImplied({ ...input, ...changeSuspension(NOT_SUSPENDED, input) });
  refuseUnfit(fields);
  return fields;
}

/**
 * The fields after a change: a recurrence replaces an rrule, and an rrule a recurrence.
 *
 * @throws InvalidInputError
 */
function changeFields(current: OccasionFields, patch: OccasionPatch): OccasionFields {
  const given = FIELDS.filter((field) => patch[field] !== undefined);
  const fields: OccasionFields = {
    ...current,
    ...(typeof patch.recurrence === 'string' && { rrule: null }),
    ...(typeof patch.rrule === 'string' && { recurrence: null }),
    ...Object.fromEntries(given.map((field) => [field, patch[field]])),
    ...changeSuspension(current, patch),
  };
  const whole = withImplied({ ...fields, data: asStored(fields.data) });
  refuseUnfit(whole);
  return whole;
}

/** @throws UserError occasion-external-id-taken */
async function refuseTaken(
  em: SqlEntityManager,
  userId: string,
  id: string,
  { type, externalId }: OccasionFields,
): Promise<void> {
  if (externalId === null) return;
  const occasionId = await findHolder(em, userId, type, externalId);
  if (occasionId === null || occasionId === id) return;
  throw new UserError('occasion-external-id-taken', '', { userId, occasionId });
}
