import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { InvalidInputError } from '../errors.ts';
import { type OccasionFields, recurrenceOf } from '../occasion.ts';
import type { UserFields } from '../user.ts';
import type { CheckedOccasion, CheckedRow, RefusedRow } from './check-row.ts';
import {
  type Change,
  decideOccasion,
  decideUser,
  type StoredOccasion,
  type StoredUser,
  type Terms,
  type UserGroup,
} from './decide.ts';
import * as sql from './batch-sql.ts';

export interface BatchTerms extends Terms {
  /** Of users who are new, if the file has none. */
  readonly timezone: string | null;
  /** Nothing is stored. */
  readonly dryRun: boolean;
  /** Of the current span, to be stored with the events. */
  readonly traceparent: string | null;
}

export interface Tally {
  created: number;
  updated: number;
  unchanged: number;
}

export interface BatchResult {
  readonly users: Tally;
  readonly occasions: Tally;
  readonly refused: readonly RefusedRow[];
  /** What the file has come to, for what is said of it as a whole. */
  readonly accepted: readonly AcceptedUser[];
}

export interface AcceptedUser {
  readonly line: number;
  readonly user: StoredUser;
  readonly isFirst: boolean;
  /** Those that were created or changed. */
  readonly occasions: readonly (OccasionFields & { readonly id: string })[];
}

/** Stores what rows say of their users, in the transaction of `em`; what is the same stays untouched. */
export async function storeBatch(
  em: SqlEntityManager,
  groups: readonly UserGroup[],
  terms: BatchTerms,
): Promise<BatchResult> {
  const stored = await findStored(em, groups, terms.dryRun);
  const users = { created: 0, updated: 0, unchanged: 0 };
  const occasions = { created: 0, updated: 0, unchanged: 0 };
  const refused: RefusedRow[] = [];
  const accepted: AcceptedUser[] = [];
  const userChanges: Change<UserFields>[] = [];
  const occasionChanges: OccasionChange[] = [];

  for (const group of groups) {
    const decided = decideGroup(group, stored, terms);
    refused.push(...decided.refused);
    if (decided.user === null) continue;
    const { user, change } = decided.user;
    // In a dry run, a user of earlier rows is as new as before.
    if (group.isFirst || (change !== null && !terms.dryRun)) users[outcomeOf(change)] += 1;
    for (const { change: ofOccasion } of decided.occasions) occasions[outcomeOf(ofOccasion)] += 1;
    if (change !== null) userChanges.push(change);
    const changed = decided.occasions.flatMap(({ change: ofOccasion }) => ofOccasion ?? []);
    const isWithUser = change?.isNew === true;
    for (const one of changed) occasionChanges.push({ ...one, userId: user.id, isWithUser });
    accepted.push({
      line: group.rows[0]?.line ?? 0,
      user,
      isFirst: group.isFirst,
      occasions: changed.map(({ id, fields }) => Object.assign({ id }, fields)),
    });
  }
  if (!terms.dryRun) await write(em, userChanges, occasionChanges, terms.traceparent);
  return { users, occasions, refused, accepted };
}

type OccasionChange = Change<OccasionFields> & {
  readonly userId: string;
  readonly isWithUser: boolean;
};

function outcomeOf(change: Pick<Change<unknown>, 'isNew'> | null): keyof Tally {
  if (change === null) return 'unchanged';
  return change.isNew ? 'created' : 'updated';
}

type Stored = Awaited<ReturnType<typeof findStored>>;

async function findStored(em: SqlEntityManager, groups: readonly UserGroup[], dryRun: boolean) {
  const externalIds = groups.flatMap(({ user }) => user.externalId ?? []);
  const ids = groups.flatMap(({ user }) => user.id ?? []);
  const users = await em.execute<StoredUser[]>(dryRun ? sql.FIND_USERS : sql.LOCK_USERS, {
    externalIds: JSON.stringify(externalIds),
    ids: JSON.stringify(ids),
  });
  const byExternalId = new Map(users.map((user) => [user.externalId ?? '', user]));
  const byId = new Map(users.map((user) => [user.id, user]));
  const unknown = ids.filter((id) => !byId.has(id));

  const wanted = groups.flatMap(({ user, rows }) => {
    const owner = byExternalId.get(user.externalId ?? '') ?? byId.get(user.id ?? '');
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
    /** Those that fit an occasion's user, type and external id; two if it is not the only one. */
    occasionsLike: new Map(
      wanted.map(({ occasion }, at) => [occasion, (found.get(at) ?? []).map(withoutAt)]),
    ),
  };
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

function decideGroup(group: UserGroup, stored: Stored, terms: BatchTerms) {
  const refused: RefusedRow[] = [];
  const refuse = (row: CheckedRow, error: unknown): void => {
    if (!(error instanceof InvalidInputError)) throw error;
    refused.push({ line: row.line, faults: error.faults, userKey: group.key });
  };
  try {
    const user = decideUser(group.user, findUser(group, stored), terms.timezone, terms);
    const occasions: ReturnType<typeof decideOccasion>[] = [];
    let isAccepted = false;
    for (const row of group.rows) {
      try {
        const decided = row.occasions.map((occasion) =>
          decideOccasion(
            occasion,
            findOccasion(occasion, user.user.id, stored),
            user.user.dateOfBirth,
            terms,
          ),
        );
        occasions.push(...decided);
        isAccepted = true;
      } catch (error) {
        refuse(row, error);
      }
    }
    return { refused, user: isAccepted ? user : null, occasions };
  } catch (error) {
    for (const row of group.rows) refuse(row, error);
    return { refused, user: null, occasions: [] };
  }
}

/** @throws InvalidInputError when id and external id are those of different users, or of one who was deleted */
function findUser({ user: { id, externalId } }: UserGroup, stored: Stored): StoredUser | null {
  const found = externalId === null ? null : (stored.byExternalId.get(externalId) ?? null);
  if (id === null) return found;
  const named = stored.byId.get(id) ?? null;
  if (named?.id !== found?.id && (found !== null || named?.externalId !== externalId)) {
    throw fault('userId', 'must be that of the user with this externalId');
  }
  if (stored.deleted.has(id)) throw fault('userId', 'must not be that of a user who was deleted');
  return found ?? named;
}

/** @throws InvalidInputError when it cannot be told which one is meant */
function findOccasion(
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

function fault(field: string, rule: string): InvalidInputError {
  return new InvalidInputError([{ field, rule }]);
}

async function write(
  em: SqlEntityManager,
  users: readonly Change<UserFields>[],
  occasions: readonly OccasionChange[],
  traceparent: string | null,
): Promise<void> {
  const run = async (statement: string, rows: readonly object[]): Promise<void> => {
    if (rows.length > 0) await em.execute(statement, { rows: JSON.stringify(rows), traceparent });
  };
  const runFor = async (statements: readonly string[], changes: readonly Change<unknown>[]) => {
    const ids = changes.filter(({ changesInputs }) => changesInputs).map(({ id }) => id);
    if (ids.length === 0) return;
    for (const statement of statements) await em.execute(statement, { ids: JSON.stringify(ids) });
  };

  const updatedUsers = users.filter(({ isNew }) => !isNew);
  await run(sql.INSERT_USERS, users.filter(({ isNew }) => isNew).map(rowOf));
  await run(sql.UPDATE_USERS, updatedUsers.map(rowOf));
  await runFor([sql.CLOSE_HISTORY, sql.OPEN_HISTORY], updatedUsers);

  const updated = occasions.filter(({ isNew }) => !isNew);
  await run(sql.INSERT_OCCASIONS, occasions.filter(({ isNew }) => isNew).map(occasionRow));
  await run(sql.UPDATE_OCCASIONS, updated.map(occasionRow));
  await runFor([sql.CLOSE_PERIODS, sql.OPEN_PERIODS], updated);
}

function rowOf({ id, fields, changed, changesInputs, isSoon }: Change<object>): object {
  return { ...fields, id, changed, changesInputs, isSoon };
}

function occasionRow(change: OccasionChange): object {
  const { userId, isWithUser, fields } = change;
  return {
    ...rowOf(change),
    userId,
    recurrence: recurrenceOf(fields),
    isPlannedWithUser: isWithUser,
  };
}
