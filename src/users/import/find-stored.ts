/** Finds the stored users and occasions of a batch. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { InvalidInputError } from '../errors.ts';
import * as sql from './batch-sql.ts';
import type { UserGroup } from './batches.ts';
import type { CheckedOccasion } from './check-row.ts';
import type { StoredOccasion, StoredUser } from './decide.ts';

export type Stored = Awaited<ReturnType<typeof findStored>>;

/**
 * Reads the users of a batch, and locks them unless it is a dry run; of their occasions, reads
 * those that the batch names.
 */
export async function findStored(
  em: SqlEntityManager,
  groups: readonly UserGroup[],
  dryRun: boolean,
) {
  const externalIds = groups.flatMap(({ user }) => user.externalId ?? []);
  const ids = groups.flatMap(({ user }) => user.id ?? []);
  const users = await em.execute<StoredUser[]>(dryRun ? sql.FIND_USERS : sql.LOCK_USERS, {
    externalIds: JSON.stringify(externalIds),
    ids: JSON.stringify(ids),
  });
  const byExternalId = new Map(users.map((user) => [user.externalId, user]));
  const byId = new Map(users.map((user) => [user.id, user]));
  const unknown = ids.filter((id) => !byId.has(id));

  const wanted = groups.flatMap(({ user, rows }) => {
    const { id, externalId } = user;
    // Many users have no external id.
    const owner = externalId === null ? byId.get(id ?? '') : byExternalId.get(externalId);
    const occasions = rows.flatMap((row) => row.occasions);
    return occasions.map((occasion) => ({ occasion, userId: owner?.id ?? null }));
  });
  const named = wanted.flatMap(({ occasion }) => occasion.id ?? []);
  const asked = wanted.flatMap(({ occasion: { id, type, externalId }, userId }, at) =>
    userId === null || (id !== null && externalId === null) ? [] : { at, userId, type, externalId },
  );
  const found = Map.groupBy(
    await inCase<StoredOccasion & { at: number }>(em, sql.FIND_OCCASIONS, 'asked', asked),
    ({ at }) => at,
  );
  const occasionsById = new Map(
    (await inCase<StoredOccasion>(em, sql.FIND_OCCASIONS_BY_ID, 'ids', named)).map((occasion) => [
      occasion.id,
      occasion,
    ]),
  );
  return {
    byExternalId,
    byId,
    deleted: new Set([
      ...(await idsIn(em, sql.FIND_DELETED_USERS, unknown)),
      ...(await idsIn(em, sql.FIND_DELETED_OCCASIONS, named)),
    ]),
    occasionsById,
    /** The occasions that match a user, type and external id; two if it is ambiguous. */
    occasionsLike: new Map(
      wanted.map(({ occasion }, at) => [occasion, (found.get(at) ?? []).map(withoutAt)]),
    ),
  };
}

/**
 * @throws InvalidInputError if id and external id belong to different users, or to a deleted one
 */
export function findUser(
  { user: { id, externalId } }: UserGroup,
  stored: Stored,
): StoredUser | null {
  const found = externalId === null ? null : (stored.byExternalId.get(externalId) ?? null);
  if (id === null) return found;
  const named = stored.byId.get(id) ?? null;
  if (named?.id !== found?.id && (found !== null || named?.externalId !== externalId)) {
    throw fault('userId', 'must be that of the user with this externalId');
  }
  if (stored.deleted.has(id)) throw fault('userId', 'must not be that of a user who was deleted');
  return found ?? named;
}

/** @throws InvalidInputError if it is ambiguous */
export function findOccasion(
  occasion: CheckedOccasion,
  userId: string,
  stored: Stored,
): StoredOccasion | null {
  const { id, type, nameOf } = occasion;
  const like = stored.occasionsLike.get(occasion) ?? [];
  if (id !== null) {
    const named = stored.occasionsById.get(id) ?? null;
    const [other] = like;
    if (named === null && stored.deleted.has(id)) {
      throw fault(nameOf('occasionId'), 'must not be that of an occasion that was deleted');
    }
    const isOther = other !== undefined && other.id !== id;
    if (isOther || (named !== null && (named.userId !== userId || named.type !== type))) {
      throw fault(nameOf('occasionId'), 'must be that of this occasion of the user');
    }
    return named;
  }
  if (like.length > 1) {
    throw fault(
      nameOf('externalId'),
      `is required: the user has several occasions of type ${type}`,
    );
  }
  return like[0] ?? null;
}

function withoutAt({ at: _at, ...occasion }: StoredOccasion & { at: number }): StoredOccasion {
  return occasion;
}

async function inCase<Row>(
  em: SqlEntityManager,
  statement: string,
  name: string,
  values: readonly unknown[],
): Promise<Row[]> {
  if (values.length === 0) return [];
  return em.execute<Row[]>(statement, { [name]: JSON.stringify(values) });
}

async function idsIn(em: SqlEntityManager, statement: string, ids: readonly string[]) {
  return (await inCase<{ id: string }>(em, statement, 'ids', ids)).map(({ id }) => id);
}

function fault(field: string, rule: string): InvalidInputError {
  return new InvalidInputError([{ field, rule }]);
}
