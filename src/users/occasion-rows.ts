/** The rows of occasions, and the history of their schedule inputs. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { validate as isUuid } from 'uuid';

import { UserError } from './errors.ts';
import { type Occasion, type OccasionFields, recurrenceOf } from './occasion.ts';
import {
  type AcceptsRevision,
  epochMs,
  findUser,
  refuseRevision,
  userCondition,
  type UserRef,
} from './user-rows.ts';

/** One of a user's occasions, by its id or by the caller's own. */
export type OccasionRef = string | { readonly type: string; readonly externalId: string };

export interface OccasionQuery {
  /** The id after which the page begins. */
  readonly after: string | null;
  readonly limit: number;
  readonly type: string | null;
}

/** @throws UserError user-not-found, occasion-not-found, revision-mismatch */
export async function findOccasion(
  em: SqlEntityManager,
  user: UserRef,
  ref: OccasionRef,
  accepts: AcceptsRevision,
): Promise<Occasion> {
  const ofUser = userCondition(user);
  const condition = occasionCondition(ref);
  const [occasion] = await em.execute<Occasion[]>(
    `select ${OCCASION} ${FROM} where ${ofUser.sql} and ${condition.sql}`,
    { ...ofUser.values, ...condition.values },
  );
  if (occasion !== undefined) {
    refuseRevision('occasion', occasion.revision, accepts);
    return occasion;
  }
  await findUser(em, user);
  throw new UserError('occasion-not-found');
}

/**
 * Locks an occasion until the transaction ends. The user must be locked already.
 *
 * @throws UserError occasion-not-found, revision-mismatch
 */
export async function lockOccasion(
  em: SqlEntityManager,
  userId: string,
  ref: OccasionRef,
  accepts: AcceptsRevision,
): Promise<Occasion> {
  const condition = occasionCondition(ref);
  const [occasion] = await em.execute<Occasion[]>(
    `select ${OCCASION} ${FROM} where o.user_id = :userId::uuid and ${condition.sql}
     for no key update of o`,
    { userId, ...condition.values },
  );
  if (occasion === undefined) throw new UserError('occasion-not-found');
  refuseRevision('occasion', occasion.revision, accepts);
  return occasion;
}

function occasionCondition(ref: OccasionRef) {
  if (typeof ref !== 'string') {
    return {
      sql: 'o.type = :type::text and o.external_id = :externalId::text',
      values: { ...ref },
    };
  }
  if (!isUuid(ref)) return { sql: 'false', values: {} };
  return { sql: 'o.id = :occasionId::uuid', values: { occasionId: ref } };
}

/** The id of the user's occasion with an external id; null if there is none. */
export async function findHolder(
  em: SqlEntityManager,
  userId: string,
  type: string,
  externalId: string,
): Promise<string | null> {
  const [holder] = await em.execute<{ id: string }[]>(
    `select id from users.occasions
     where user_id = :userId::uuid and type = :type::text and external_id = :externalId::text`,
    { userId, type, externalId },
  );
  return holder?.id ?? null;
}

/**
 * A page of a user's occasions by id, and therefore in order of creation. `next` is the place after
 * which the next page begins; null on the last page.
 *
 * @throws UserError user-not-found
 */
export async function listOccasions(
  em: SqlEntityManager,
  user: UserRef,
  { after, limit, type }: OccasionQuery,
) {
  const { id: userId } = await findUser(em, user);
  const conditions = [
    'o.user_id = :userId::uuid',
    ...(after === null ? [] : ['o.id > :after::uuid']),
    ...(type === null ? [] : ['o.type = :type::text']),
  ];
  const found = await em.execute<Occasion[]>(
    `select ${OCCASION} ${FROM} where ${conditions.join(' and ')} order by o.id limit :limit::int`,
    { userId, after, type, limit: limit + 1 },
  );
  const occasions = found.slice(0, limit);
  const next = found.length > limit ? (occasions.at(-1)?.id ?? null) : null;
  return { occasions, next };
}

export async function insertOccasion(
  em: SqlEntityManager,
  userId: string,
  id: string,
  fields: OccasionFields,
): Promise<Occasion> {
  const [occasion] = await em.execute<Occasion[]>(INSERT, { id, userId, ...written(fields) });
  if (occasion === undefined) throw new Error('the user was not locked');
  return occasion;
}

export async function updateOccasion(
  em: SqlEntityManager,
  occasion: OccasionFields & Pick<Occasion, 'id'>,
  inputsChanged: boolean,
): Promise<Occasion> {
  const values = { id: occasion.id, inputsChanged, ...written(occasion) };
  const [updated] = await em.execute<Occasion[]>(UPDATE, values);
  if (updated === undefined) throw new Error('the occasion was not locked');
  return updated;
}

function written(fields: OccasionFields) {
  const { data } = fields;
  return {
    ...fields,
    recurrence: recurrenceOf(fields),
    data: data === null ? null : JSON.stringify(data),
  };
}

/** Begins a period of the history, at the instant from which the current inputs are in force. */
export async function openPeriod(em: SqlEntityManager, id: string): Promise<void> {
  await em.execute(OPEN_PERIOD, { id });
}

/** Ends the current period, where the next one begins. */
export async function closePeriod(em: SqlEntityManager, id: string): Promise<void> {
  await em.execute(closePeriodSql('o.inputs_changed_at'), { id });
}

/** Deletes an occasion. Its history ends, and stays for the audit. */
export async function deleteOccasion(em: SqlEntityManager, id: string): Promise<void> {
  // First, because the row holds the last instant of the occasion.
  await em.execute(closePeriodSql('greatest(users.clock(), u.updated_at, o.updated_at)'), { id });
  await em.execute('delete from users.occasions where id = :id::uuid', { id });
}

const OCCASION = `o.id, o.user_id as "userId", o.type, o.external_id as "externalId",
  o.date::text, case o.recurrence when 'birthday' then 'yearly' when 'rrule' then null
    else o.recurrence end as recurrence,
  o.rrule, o.offset_days as "offsetDays", o.delivery_time as "deliveryTime", o.timezone, o.data,
  o.suspended, o.suspended_reason as "suspendedReason", ${epochMs('o.created_at', 'createdAt')},
  ${epochMs('o.updated_at', 'updatedAt')}, o.revision,
  json_build_object('dateOfBirth', u.date_of_birth::text, 'timezone', u.timezone,
    'deliveryTime', u.delivery_time, 'suspended', u.suspended) as "user"`;

const FROM = 'from users.occasions as o join users.users as u on u.id = o.user_id';

/** Never before the last change of the user, even if the clock was set back. */
const INSERT = `
  with inserted as (
    insert into users.occasions (id, user_id, type, external_id, date, recurrence, rrule,
      offset_days, delivery_time, timezone, data, suspended, suspended_reason, revision,
      created_at, updated_at, inputs_changed_at)
    select :id::uuid, id, :type::text, :externalId::text, :date::date, :recurrence::text,
      :rrule::text, :offsetDays::int, :deliveryTime::text, :timezone::text, :data::jsonb,
      :suspended::boolean, :suspendedReason::text, 1, at, at, at
    from (select id, greatest(users.clock(), updated_at) as at from users.users
      where id = :userId::uuid offset 0) as owner
    returning *
  )
  select ${OCCASION} from inserted as o join users.users as u on u.id = o.user_id`;

/**
 * The clock is read after the rows are locked, so that a change comes after every plan that did not
 * know it.
 */
const UPDATE = `
  with clock as materialized (
    select greatest(users.clock(), u.updated_at, o.updated_at) as now ${FROM} where o.id = :id::uuid
  ), updated as (
    update users.occasions as o
    set external_id = :externalId::text, date = :date::date, recurrence = :recurrence::text,
      rrule = :rrule::text, offset_days = :offsetDays::int, delivery_time = :deliveryTime::text,
      timezone = :timezone::text, data = :data::jsonb, suspended = :suspended::boolean,
      suspended_reason = :suspendedReason::text, revision = o.revision + 1, updated_at = clock.now,
      inputs_changed_at = case when :inputsChanged::boolean then clock.now
        else o.inputs_changed_at end
    from clock
    where o.id = :id::uuid
    returning o.*
  )
  select ${OCCASION} from updated as o join users.users as u on u.id = o.user_id`;

const OPEN_PERIOD = `
  insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence, rrule,
    offset_days, delivery_time, timezone, suspended, valid_from)
  select id, type, user_id, date, recurrence, rrule, offset_days, delivery_time, timezone,
    suspended, inputs_changed_at
  from users.occasions where id = :id::uuid`;

const closePeriodSql = (until: string): string => `
  update users.occasion_periods as p set valid_until = ${until}
  ${FROM}
  where o.id = :id::uuid and p.occasion_id = o.id and p.valid_until is null`;
