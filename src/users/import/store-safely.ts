/**
 * Stores batches despite rows that cannot be stored, and despite a database that is down for a
 * moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode, isServerAway } from '../../platform/errors.ts';
import { retryConflicts } from '../../platform/database/conflicts.ts';
import type { Orm } from '../../platform/database/orm.ts';
import type { UserGroup } from './batches.ts';
import { type RefusedRow, userKeysOf } from './check-row.ts';
import { type AcceptedUser, type BatchResult, type BatchTerms, storeBatch } from './store-batch.ts';
import { addTo, noTally } from './tally.ts';

export interface StoreContext {
  readonly orm: Orm;
  /** Ends an import early, even one that waits for the database. */
  readonly signal?: AbortSignal | undefined;
  /** How long a database may be down before the import ends: a minute, as a failover takes. */
  readonly awayForMs?: number | undefined;
}

const AWAY_FOR_MS = 60_000;
const AWAY_PAUSE_MS = 2_000;

/**
 * Stores a batch that fails one by one, so that a row that cannot be stored does not block the
 * others.
 */
export async function storeSafely(
  context: StoreContext,
  groups: readonly UserGroup[],
  terms: BatchTerms,
): Promise<BatchResult> {
  if (groups.length === 0) {
    return { users: noTally(), occasions: noTally(), refused: [], accepted: [] };
  }
  try {
    return await whileAway(context, () =>
      retryConflicts(() =>
        context.orm.em.fork().transactional((em) => storeBatch(em, groups, terms)),
      ),
    );
  } catch (error) {
    // Integrity and data of rows (classes 22 and 23 of SQLSTATE): any other error is not the rows'
    // fault.
    if (!/^2[23]/.test(errorCode(error))) throw error;
    const [only] = groups;
    if (groups.length === 1 && only !== undefined) return refuseAll(only, errorCode(error));
    return storeOneByOne(context, groups, terms);
  }
}

async function storeOneByOne(
  context: StoreContext,
  groups: readonly UserGroup[],
  terms: BatchTerms,
): Promise<BatchResult> {
  const users = noTally();
  const occasions = noTally();
  const refused: RefusedRow[] = [];
  const accepted: AcceptedUser[] = [];
  for (const group of groups) {
    const result = await storeSafely(context, [group], terms);
    addTo(users, result.users);
    addTo(occasions, result.occasions);
    refused.push(...result.refused);
    accepted.push(...result.accepted);
  }
  return { users, occasions, refused, accepted };
}

function refuseAll(group: UserGroup, code: string): BatchResult {
  const faults = [
    {
      field: 'line',
      rule: `cannot be stored (${code}): it may have conflicted with another request; send it again`,
    },
  ];
  const userKeys = userKeysOf(group.user);
  const refused = group.rows.map(({ line }) => ({ line, faults, userKeys }));
  return { users: noTally(), occasions: noTally(), refused, accepted: [] };
}

async function whileAway<Result>(
  { signal, awayForMs = AWAY_FOR_MS }: StoreContext,
  work: () => Promise<Result>,
): Promise<Result> {
  const until = performance.now() + awayForMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isServerAway(error) || performance.now() + AWAY_PAUSE_MS > until) throw error;
      await sleep(AWAY_PAUSE_MS, undefined, { signal });
    }
  }
}
