/** The statements of an import, over all users of a batch at once. */

export const USER_FIELDS = `u.id, u.external_id as "externalId", u.first_name as "firstName",
  u.last_name as "lastName", u.date_of_birth::text as "dateOfBirth", u.timezone,
  u.delivery_time as "deliveryTime", u.suspended, u.suspended_reason as "suspendedReason"`;

export const OCCASION_FIELDS = `o.id, o.user_id as "userId", o.type, o.external_id as "externalId",
  o.date::text, case o.recurrence when 'birthday' then 'yearly' when 'rrule' then null
    else o.recurrence end as recurrence, o.rrule, o.offset_days as "offsetDays",
  o.delivery_time as "deliveryTime", o.timezone, o.data, o.suspended,
  o.suspended_reason as "suspendedReason"`;

const texts = (name: string): string => `array(select jsonb_array_elements_text(:${name}::jsonb))`;
const uuids = (name: string): string =>
  `array(select value::uuid from jsonb_array_elements_text(:${name}::jsonb))`;

export const FIND_USERS = `
  select ${USER_FIELDS} from users.users as u
  where u.external_id = any (${texts('externalIds')}) or u.id = any (${uuids('ids')})
  order by u.id`;

/**
 * Locks in the order of ids, like everything that locks users. Their occasions change under this
 * lock only.
 */
export const LOCK_USERS = `${FIND_USERS} for no key update`;

export const FIND_DELETED_USERS = `
  select user_id as id from users.erasures where user_id = any (${uuids('ids')})`;

/** By external id, or else the only one of its type: two rows mean that it is ambiguous. */
export const FIND_OCCASIONS = `
  select asked.at, found.*
  from jsonb_to_recordset(:asked::jsonb)
    as asked (at int, "userId" uuid, type text, "externalId" text)
  cross join lateral (
    (select ${OCCASION_FIELDS} from users.occasions as o
     where asked."externalId" is null and o.user_id = asked."userId" and o.type = asked.type
     limit 2)
    union all
    -- By the index of external ids: a user may have 10,000 occasions of a type.
    select ${OCCASION_FIELDS} from users.occasions as o
    where o.user_id = asked."userId" and o.type = asked.type
      and o.external_id = asked."externalId"
  ) as found`;

export const FIND_OCCASIONS_BY_ID = `
  select ${OCCASION_FIELDS} from users.occasions as o where o.id = any (${uuids('ids')})`;

export const FIND_DELETED_OCCASIONS = `
  select distinct p.occasion_id as id from users.occasion_periods as p
  where p.occasion_id = any (${uuids('ids')})
    and not exists (select from users.occasions as o where o.id = p.occasion_id)`;

const ROWS_OF_USERS = `jsonb_to_recordset(:rows::jsonb) as row (
    id uuid, "externalId" text, "firstName" text, "lastName" text, "dateOfBirth" date,
    timezone text, "deliveryTime" text, suspended boolean, "suspendedReason" text,
    changed jsonb, "changesInputs" boolean, "isSoon" boolean)`;

const ROWS_OF_OCCASIONS = `jsonb_to_recordset(:rows::jsonb) as row (
    id uuid, "userId" uuid, type text, "externalId" text, date date, recurrence text, rrule text,
    "offsetDays" int, "deliveryTime" text, timezone text, data jsonb, suspended boolean,
    "suspendedReason" text, changed jsonb, "changesInputs" boolean, "isSoon" boolean,
    "isPlannedWithUser" boolean)`;

/**
 * When the scheduler may claim an event: at once. It claims the longest waiting first, and so users
 * who are due within minutes before 100,000 who can wait.
 */
const AVAILABLE_AT = `now - case when "isSoon" then interval '1 day' else interval '0' end`;
const CHANGED = 'array(select jsonb_array_elements_text(changed))';
const CLOCK = 'clock as materialized (select users.clock() as now)';

export const INSERT_USERS = `
  with ${CLOCK}, given as materialized (select * from ${ROWS_OF_USERS}),
  created as (
    insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone,
      delivery_time, suspended, suspended_reason, revision, created_at, updated_at,
      inputs_changed_at)
    select id, "externalId", "firstName", "lastName", "dateOfBirth", timezone, "deliveryTime",
      suspended, "suspendedReason", 1, now, now, now
    from given, clock
  ), noted as (
    insert into users.history
      (user_id, date_of_birth, timezone, delivery_time, suspended, valid_from)
    select id, "dateOfBirth", timezone, "deliveryTime", suspended, now from given, clock
  )
  insert into users.outbox (type, user_id, revision, occurred_at, available_at, traceparent)
  select 'UserCreated', id, 1, now, ${AVAILABLE_AT}, :traceparent::text from given, clock`;

/** Instants never go backwards, even if the clock was set back. */
export const UPDATE_USERS = `
  with ${CLOCK}, given as materialized (select * from ${ROWS_OF_USERS}),
  updated as (
    update users.users as u
    set first_name = given."firstName", last_name = given."lastName",
      date_of_birth = given."dateOfBirth", timezone = given.timezone,
      delivery_time = given."deliveryTime", suspended = given.suspended,
      suspended_reason = given."suspendedReason", revision = u.revision + 1,
      updated_at = greatest(clock.now, u.updated_at),
      inputs_changed_at = case when given."changesInputs" then greatest(clock.now, u.updated_at)
        else u.inputs_changed_at end
    from given, clock
    where u.id = given.id
    returning u.id, u.revision
  )
  insert into users.outbox
    (type, user_id, revision, changed, occurred_at, available_at, done_at, traceparent)
  select 'UserUpdated', id, revision, ${CHANGED}, now, ${AVAILABLE_AT},
    case when not "changesInputs" then now end, :traceparent::text
  from updated join given using (id), clock`;

export const CLOSE_HISTORY = `
  update users.history as h set valid_until = u.inputs_changed_at
  from users.users as u
  where u.id = any (${uuids('ids')}) and h.user_id = u.id and h.valid_until is null`;

export const OPEN_HISTORY = `
  insert into users.history
    (user_id, date_of_birth, timezone, delivery_time, suspended, valid_from)
  select id, date_of_birth, timezone, delivery_time, suspended, inputs_changed_at
  from users.users where id = any (${uuids('ids')})`;

/** Occasions that come with a new user are planned with it. */
export const INSERT_OCCASIONS = `
  with ${CLOCK}, given as materialized (
    select row.*, greatest(clock.now, u.updated_at) as now
    from ${ROWS_OF_OCCASIONS} join users.users as u on u.id = row."userId", clock
  ), created as (
    insert into users.occasions (id, user_id, type, external_id, date, recurrence, rrule,
      offset_days, delivery_time, timezone, data, suspended, suspended_reason, revision,
      created_at, updated_at, inputs_changed_at)
    select id, "userId", type, "externalId", date, recurrence, rrule, "offsetDays",
      "deliveryTime", timezone, data, suspended, "suspendedReason", 1, now, now, now
    from given
  ), noted as (
    insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence,
      rrule, offset_days, delivery_time, timezone, suspended, valid_from)
    select id, type, "userId", date, recurrence, rrule, "offsetDays", "deliveryTime", timezone,
      suspended, now
    from given
  )
  insert into users.outbox (type, user_id, occasion_type, occasion_id, revision, occurred_at,
    available_at, done_at, traceparent)
  select 'OccasionCreated', "userId", type, id, 1, now, ${AVAILABLE_AT},
    case when "isPlannedWithUser" then now end, :traceparent::text
  from given`;

export const UPDATE_OCCASIONS = `
  with ${CLOCK}, given as materialized (
    select row.*, greatest(clock.now, u.updated_at) as now
    from ${ROWS_OF_OCCASIONS} join users.users as u on u.id = row."userId", clock
  ), updated as (
    update users.occasions as o
    set external_id = given."externalId", date = given.date, recurrence = given.recurrence,
      rrule = given.rrule,
      offset_days = given."offsetDays", delivery_time = given."deliveryTime",
      timezone = given.timezone, data = given.data, suspended = given.suspended,
      suspended_reason = given."suspendedReason", revision = o.revision + 1,
      updated_at = greatest(given.now, o.updated_at),
      inputs_changed_at = case when given."changesInputs" then greatest(given.now, o.updated_at)
        else o.inputs_changed_at end
    from given
    where o.id = given.id
    returning o.id, o.revision
  )
  insert into users.outbox (type, user_id, occasion_type, occasion_id, revision, changed,
    occurred_at, available_at, done_at, traceparent)
  select 'OccasionUpdated', "userId", type, id, revision, ${CHANGED}, now, ${AVAILABLE_AT},
    case when not "changesInputs" then now end, :traceparent::text
  from updated join given using (id)`;

export const CLOSE_PERIODS = `
  update users.occasion_periods as p set valid_until = o.inputs_changed_at
  from users.occasions as o
  where o.id = any (${uuids('ids')}) and p.occasion_id = o.id and p.valid_until is null`;

export const OPEN_PERIODS = `
  insert into users.occasion_periods (occasion_id, occasion_type, user_id, date, recurrence, rrule,
    offset_days, delivery_time, timezone, suspended, valid_from)
  select id, type, user_id, date, recurrence, rrule, offset_days, delivery_time, timezone,
    suspended, inputs_changed_at
  from users.occasions where id = any (${uuids('ids')})`;
