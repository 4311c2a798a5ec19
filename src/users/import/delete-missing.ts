/** The end of an import of the complete list: deletes users who are not in it. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { retryConflicts } from '../../platform/database/conflicts.ts';
import type { Orm } from '../../platform/database/orm.ts';
import { userKeysOf } from './check-row.ts';

export interface DeletionTerms {
  /** Whether the file contains a user. */
  readonly has: (key: string) => boolean;
  /** By the database's clock, epoch ms: users created later are kept. */
  readonly startedAt: number;
  /** As given by the caller; null for a tenth of all. */
  readonly most: number | null;
  readonly dryRun: boolean;
  readonly traceparent: string | null;
}

export interface Deletion {
  /** Users who are not in the file. */
  readonly missing: number;
  readonly deleted: number;
  /** Why no users were deleted, although some are missing. */
  readonly refused: string | null;
}

/** A tenth: more users than leave in a day, and far fewer than a truncated file would delete. */
const MOST_SHARE = 0.1;
const PAGE = 5_000;
const BATCH = 500;

export async function deleteMissing(orm: Orm, terms: DeletionTerms): Promise<Deletion> {
  const { missing, all } = await findMissing(orm, terms);
  const most = terms.most ?? Math.floor(all * MOST_SHARE);
  if (missing.length > most) {
    const limit =
      terms.most === null
        ? `a tenth of all ${all}. Say so with maxDeletes=${missing.length}, if it is right`
        : `maxDeletes, ${most}`;
    const refused = `${missing.length} users are not in the file, more than ${limit}. No users were deleted.`;
    return { missing: missing.length, deleted: 0, refused };
  }
  let deleted = 0;
  for (let at = 0; !terms.dryRun && at < missing.length; at += BATCH) {
    const values = {
      ids: JSON.stringify(missing.slice(at, at + BATCH)),
      traceparent: terms.traceparent,
    };
    deleted += await retryConflicts(() =>
      orm.em.fork().transactional((em) => deleteUsers(em, values)),
    );
  }
  return { missing: missing.length, deleted, refused: null };
}

async function findMissing(orm: Orm, { has, startedAt }: DeletionTerms) {
  const missing: string[] = [];
  let all = 0;
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = await orm.em.fork().execute<ListedUser[]>(LIST, { after, startedAt, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) return { missing, all };
    all += page.length;
    after = last.id;
    for (const user of page) {
      if (!userKeysOf(user).some(has)) missing.push(user.id);
    }
  }
}

interface ListedUser {
  readonly id: string;
  readonly externalId: string | null;
}

const LIST = `
  select id, external_id as "externalId" from users.users
  where id > :after::uuid and created_at < to_timestamp(:startedAt::float8 / 1000)
  order by id limit :limit::int`;

/**
 * As the API deletes one: history ends at the last instant, names and stored responses are removed.
 */
async function deleteUsers(
  em: SqlEntityManager,
  values: { readonly ids: string; readonly traceparent: string | null },
): Promise<number> {
  await em.execute(LOCK, values);
  await em.execute(END_HISTORIES, values);
  await em.execute(FORGET_ANSWERS, values);
  const deleted = await em.execute<unknown[]>(DELETE, values);
  return deleted.length;
}

const IDS = 'array(select value::uuid from jsonb_array_elements_text(:ids::jsonb))';

const LOCK = `
  select id from users.users where id = any (${IDS}) order by id for update`;

const END_HISTORIES = `
  with clock as materialized (select users.clock() as now),
  of_users as (
    update users.history as h set valid_until = greatest(clock.now, u.updated_at)
    from users.users as u, clock
    where u.id = any (${IDS}) and h.user_id = u.id and h.valid_until is null
  )
  update users.occasion_periods as p set valid_until = greatest(clock.now, o.updated_at)
  from users.occasions as o, clock
  where o.user_id = any (${IDS}) and p.occasion_id = o.id and p.valid_until is null`;

const FORGET_ANSWERS = `
  update users.idempotency_keys set body = null, request_hash = '' where user_id = any (${IDS})`;

const DELETE = `
  with clock as materialized (select users.clock() as now),
  deleted as (delete from users.users where id = any (${IDS}) returning id, revision)
  insert into users.outbox (type, user_id, revision, occurred_at, available_at, traceparent)
  select 'UserDeleted', id, revision + 1, now, now, :traceparent::text from deleted, clock
  returning user_id`;
