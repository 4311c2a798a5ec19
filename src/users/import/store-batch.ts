import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { InvalidInputError } from '../errors.ts';
import { type OccasionFields, recurrenceOf } from '../occasion.ts';
import type { UserFields } from '../user.ts';
import * as sql from './batch-sql.ts';
import type { UserGroup } from './batches.ts';
import { type CheckedOccasion, type CheckedRow, type RefusedRow, userKeysOf } from './check-row.ts';
import { type Change, decideOccasion, decideUser, type StoredUser, type Terms } from './decide.ts';
import { findOccasion, findStored, findUser, type Stored } from './find-stored.ts';
import { noTally, type Tally } from './tally.ts';

export interface BatchTerms extends Terms {
  /** For new users, if the file has none. */
  readonly timezone: string | null;
  /** Stores nothing. */
  readonly dryRun: boolean;
  /** The `traceparent` of the current span, to be stored with the events. */
  readonly traceparent: string | null;
}

export interface BatchResult {
  readonly users: Tally;
  readonly occasions: Tally;
  readonly refused: readonly RefusedRow[];
  /** The accepted users, for the report on the whole file. */
  readonly accepted: readonly AcceptedUser[];
}

export interface AcceptedUser {
  readonly line: number;
  readonly user: StoredUser;
  readonly isFirst: boolean;
  /** The occasions that were created or changed. */
  readonly occasions: readonly (OccasionFields & { readonly id: string })[];
}

/**
 * Stores the rows of a batch of users, in the transaction of `em`; unchanged ones stay untouched.
 */
export async function storeBatch(
  em: SqlEntityManager,
  groups: readonly UserGroup[],
  terms: BatchTerms,
): Promise<BatchResult> {
  const stored = await findStored(em, groups, terms.dryRun);
  const users = noTally();
  const occasions = noTally();
  const refused: RefusedRow[] = [];
  const accepted: AcceptedUser[] = [];
  const userChanges: Change<UserFields>[] = [];
  const occasionChanges: OccasionChange[] = [];

  for (const group of groups) {
    const decided = decideGroup(group, stored, terms);
    refused.push(...decided.refused);
    if (decided.user === null) continue;
    const { user, change } = decided.user;
    // In a dry run, a user of earlier rows still counts as new.
    if (group.isFirst || (change !== null && !terms.dryRun)) users[outcomeOf(change)] += 1;
    for (const { change: ofOccasion, isRepeated } of decided.occasions) {
      if (!isRepeated || (ofOccasion !== null && !terms.dryRun)) {
        occasions[outcomeOf(ofOccasion)] += 1;
      }
    }
    const changed = decided.occasions.flatMap(({ change: ofOccasion }) => ofOccasion ?? []);
    const isWithUser = change?.isNew === true;
    // An occasion planned together with its user must not wait with it.
    const isSoon = isWithUser && changed.some((one) => one.isSoon);
    if (change !== null) userChanges.push({ ...change, isSoon: change.isSoon || isSoon });
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

type DecidedOccasion = ReturnType<typeof decideOccasion> & { readonly isRepeated: boolean };

/** An occasion that several rows have is taken from the first one that is not refused. */
function decideGroup(group: UserGroup, stored: Stored, terms: BatchTerms) {
  const refused: RefusedRow[] = [];
  const refuse = (row: CheckedRow, error: unknown): void => {
    if (!(error instanceof InvalidInputError)) throw error;
    refused.push({ line: row.line, faults: error.faults, userKeys: userKeysOf(group.user) });
  };
  try {
    const user = decideUser(group.user, findUser(group, stored), terms.timezone, terms);
    const occasions: DecidedOccasion[] = [];
    const names = new Set<string>();
    const ids = new Set<string>();
    let isAccepted = false;
    for (const row of group.rows) {
      try {
        const fresh = row.occasions.filter((occasion) => !names.has(nameOf(occasion)));
        const decided = fresh.map((occasion) => ({
          ...decideOccasion(
            occasion,
            findOccasion(occasion, user.user.id, stored),
            user.user.dateOfBirth,
            terms,
          ),
          isRepeated: occasion.isRepeated === true,
        }));
        refuseTwice(fresh, decided, ids);
        occasions.push(...decided);
        for (const occasion of fresh) names.add(nameOf(occasion));
        for (const { occasion } of decided) ids.add(occasion.id);
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

/**
 * Refuses an occasion that rows identify in two ways, for example by its external id and as the
 * only one of its type: which of them wins would be chance.
 *
 * @throws InvalidInputError
 */
function refuseTwice(
  given: readonly CheckedOccasion[],
  decided: readonly DecidedOccasion[],
  idsBefore: ReadonlySet<string>,
): void {
  const ids = new Set(idsBefore);
  for (const [at, { occasion }] of decided.entries()) {
    if (ids.has(occasion.id)) {
      const field = given[at]?.nameOf('externalId') ?? 'externalId';
      throw new InvalidInputError([{ field, rule: 'must not name the occasion of another row' }]);
    }
    ids.add(occasion.id);
  }
}

/** What identifies an occasion among those of its user. */
function nameOf({ id, type, externalId }: CheckedOccasion): string {
  return JSON.stringify([type, id ?? externalId]);
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
