import { Migration } from '@mikro-orm/migrations';

/** The two contexts, a schema each, with no foreign key between them. */
export class Initial0001 extends Migration {
  override up(): void {
    // Which code each migration is compatible with (docs/deploys.md).
    this.addSql('alter table daybell_migrations add column if not exists compatible_from text');
    this.addSql(USERS);
    this.addSql(EVENTS);
  }

  override down(): void {
    this.addSql('drop schema events cascade');
    this.addSql('drop schema users cascade');
  }
}

const USERS = `
  create schema users;

  -- The clock of all instants in this schema. A function, so that a test can replace it.
  create function users.clock() returns timestamptz
    language sql volatile as 'select clock_timestamp()';

  -- Text as it is searched: lower case, without accents; letters that Unicode does not decompose
  -- are spelt out. It does not depend on the locale of the database, in which lower() may know ASCII
  -- alone, and needs no extension, which not every owner of a schema may create. Without "strict",
  -- PostgreSQL expands it in place.
  create function users.folded(value text) returns text
    language sql immutable parallel safe
    return case when octet_length(value) = char_length(value) then lower(value collate "C") else
      replace(replace(replace(replace(
        translate(
          lower(regexp_replace(normalize(value, NFKD), '[\\u0300-\\u036f]', '', 'g') collate "C"),
          'АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЂЄЅІЇЈЉЊЋЏҐҒҚҢҮҰҺӘӨ'
            || 'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩς'
            || 'ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ'
            || 'ØøŁłĐđÐðĦħŦŧıƏÆŒÞẞ',
          'абвгдежзийклмнопрстуфхцчшщъыьэюяђєѕіїјљњћџґғқңүұһәө'
            || 'αβγδεζηθικλμνξοπρστυφχψωσ'
            || 'աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ'
            || 'oollddddhhttiəæœþß'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
    end;

  create table users.users (
    id uuid primary key,
    external_id text unique,
    first_name text not null,
    last_name text not null,
    date_of_birth date not null,
    timezone text not null,
    -- When the user's webhooks are sent, by the clocks of the zone, HH:MM; null: as the occasion type
    -- or the installation says.
    delivery_time text,
    -- Nothing is sent to the user for now. The reason is the operator's own words.
    suspended boolean not null default false,
    suspended_reason text,
    revision integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- When a schedule input last changed; at first, created_at.
    inputs_changed_at timestamptz not null,
    -- The order of lists. The transaction that created the row: a page shows only what no
    -- transaction that is still running can precede.
    position xid8 not null default pg_current_xact_id()
  );
  create index users_timezone on users.users (timezone, position, id);
  create index users_by_position on users.users (position, id);
  -- The beginnings that users are searched by: of each name, and of both in either order.
  create index users_by_name on users.users
    ((users.folded(first_name || ' ' || last_name) collate "C"));
  create index users_by_last_name on users.users
    ((users.folded(last_name || ' ' || first_name) collate "C"));
  create index users_by_folded_external_id on users.users
    ((users.folded(external_id) collate "C")) where external_id is not null;
  create index users_by_day on users.users
    (((extract(month from date_of_birth) * 100 + extract(day from date_of_birth))::int), id);
  create index users_suspended on users.users (id) where suspended;

  -- The order of changes: of users and of their occasions together.
  create sequence users.changes;

  -- Who had which date and zone when: schedule inputs, without names. Kept until erasure.
  create table users.history (
    id bigint primary key default nextval('users.changes'),
    user_id uuid not null,
    date_of_birth date not null,
    timezone text not null,
    delivery_time text,
    suspended boolean not null default false,
    valid_from timestamptz not null,
    valid_until timestamptz
  );
  create unique index history_current on users.history (user_id) where valid_until is null;
  create index history_of_user on users.history (user_id, id);
  create index history_by_day on users.history
    (((extract(month from date_of_birth) * 100 + extract(day from date_of_birth))::int), user_id);

  -- Dates of one recurrence that name the same days have the same slot: of yearly ones month and day
  -- as one number, of monthly ones the day, of weekly ones the weekday, of single ones the day itself.
  -- What recurs daily or by a rule may name any day, and has 0. Null without a date.
  create function users.occasion_slot(recurrence text, date date) returns integer
    language sql immutable as $body$
      select case
        when recurrence in ('yearly', 'birthday')
          then (extract(month from date) * 100 + extract(day from date))::int
        when recurrence = 'monthly' then extract(day from date)::int
        when recurrence = 'weekly' then extract(isodow from date)::int
        when recurrence = 'once' then date - date '0001-01-01'
        else 0 end
    $body$;

  -- Dated things of a user besides the birthday, which the date of birth implies.
  create table users.occasions (
    id uuid primary key,
    user_id uuid not null references users.users (id) on delete cascade,
    type text not null check (type ~ '^[a-z][a-z0-9-]{0,39}$' and type not in ('birthday', 'test')),
    -- Unique per user and type.
    external_id text,
    -- The first day, from which the recurrence counts; null: the user's date of birth.
    date date,
    recurrence text not null check (recurrence in
      ('once', 'daily', 'weekly', 'monthly', 'yearly', 'birthday', 'rrule')),
    -- RFC 5545, restricted to dates.
    rrule text,
    -- Due so many days before the nominal date.
    offset_days integer not null default 0,
    -- Null: the user's.
    delivery_time text,
    timezone text,
    -- Handed to the receiver as it is.
    data jsonb,
    suspended boolean not null default false,
    suspended_reason text,
    revision integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    inputs_changed_at timestamptz not null,
    constraint occasions_external_id_key unique (user_id, type, external_id),
    constraint rrule_of_recurrence check ((recurrence = 'rrule') = (rrule is not null)),
    constraint reminder_without_date check ((date is null) = (type = 'birthday-reminder')),
    -- Yearly, from a year after the date on.
    constraint begins_a_year_later
      check ((recurrence = 'birthday') = (type in ('anniversary', 'birthday-reminder')))
  );
  create index occasions_of_user on users.occasions (user_id, id);
  create index occasions_by_slot on users.occasions
    (recurrence, offset_days, users.occasion_slot(recurrence, date), user_id, id);
  create index occasions_suspended on users.occasions (id) where suspended;

  -- Which inputs an occasion had when; what is null is the user's. Kept until erasure.
  create table users.occasion_periods (
    id bigint primary key default nextval('users.changes'),
    occasion_id uuid not null,
    occasion_type text not null,
    user_id uuid not null,
    date date,
    recurrence text not null,
    rrule text,
    offset_days integer not null default 0,
    delivery_time text,
    timezone text,
    suspended boolean not null default false,
    valid_from timestamptz not null,
    valid_until timestamptz
  );
  create unique index occasion_periods_current on users.occasion_periods (occasion_id)
    where valid_until is null;
  create index occasion_periods_of_occasion on users.occasion_periods (occasion_id, id);
  create index occasion_periods_of_user on users.occasion_periods (user_id, id);
  create index occasion_periods_by_slot on users.occasion_periods
    (recurrence, offset_days, users.occasion_slot(recurrence, date), user_id, occasion_id);

  -- What planning and delivery read of users: the occasions that there are now, and the inputs
  -- that each had. A birthday is implied by the date of birth; its id is the user's. Where
  -- local_time is null, the occasion type or the installation says when. The second part of each is
  -- a join: reach it by a lateral subquery, or PostgreSQL reads all of it.
  create view users.occasion_inputs as
    select 'birthday'::text as occasion_type, id as occasion_id, id as user_id,
      'birthday'::text as recurrence, null::text as rrule, date_of_birth as date, 0 as offset_days,
      timezone, delivery_time as local_time, suspended,
      created_at, inputs_changed_at as changed_at
    from users.users
    union all
    select o.type, o.id, o.user_id, o.recurrence, o.rrule, coalesce(o.date, u.date_of_birth),
      o.offset_days, coalesce(o.timezone, u.timezone), coalesce(o.delivery_time, u.delivery_time),
      o.suspended or u.suspended,
      o.created_at, greatest(o.inputs_changed_at, u.inputs_changed_at)
    from users.occasions as o join users.users as u on u.id = o.user_id;
  create view users.occasion_history as
    select 'birthday'::text as occasion_type, user_id as occasion_id, user_id, id as position,
      'birthday'::text as recurrence, null::text as rrule, date_of_birth as date, 0 as offset_days,
      timezone, delivery_time as local_time, suspended, valid_from, valid_until
    from users.history
    union all
    select p.occasion_type, p.occasion_id, p.user_id, greatest(p.id, h.id), p.recurrence, p.rrule,
      coalesce(p.date, h.date_of_birth), p.offset_days, coalesce(p.timezone, h.timezone),
      coalesce(p.delivery_time, h.delivery_time), p.suspended or h.suspended,
      greatest(p.valid_from, h.valid_from), least(p.valid_until, h.valid_until)
    from users.occasion_periods as p
    join users.history as h on h.user_id = p.user_id
      and h.valid_from < coalesce(p.valid_until, 'infinity')
      and p.valid_from < coalesce(h.valid_until, 'infinity');

  -- Domain events, written in the transaction of the change; the scheduler plans what they name.
  create table users.outbox (
    id bigint generated always as identity primary key,
    type text not null,
    user_id uuid not null,
    -- The one occasion that it is about; null: whatever the user has.
    occasion_type text,
    occasion_id uuid,
    revision integer not null,
    -- Names of the fields that changed; never their values.
    changed text[] not null default '{}',
    occurred_at timestamptz not null,
    attempts integer not null default 0,
    -- When it may be taken: at once, after a failure later, while leased at the end of the lease.
    available_at timestamptz not null default users.clock(),
    lease_token integer not null default 0,
    last_error text,
    done_at timestamptz,
    parked_at timestamptz,
    -- W3C Trace Context of the request that made the change; null when traces are off.
    traceparent text,
    check (done_at is null or parked_at is null)
  );
  create index outbox_waiting on users.outbox (available_at, id)
    where done_at is null and parked_at is null;
  create index outbox_of_user on users.outbox (user_id, id);
  create index outbox_parked on users.outbox (id) where parked_at is not null;
  create index outbox_done on users.outbox (done_at) where done_at is not null;

  create table users.idempotency_keys (
    key text primary key,
    request_hash text not null,
    user_id uuid not null,
    -- The user as created; null once deleted.
    body jsonb,
    created_at timestamptz not null
  );
  create index idempotency_keys_of_user on users.idempotency_keys (user_id);
  create index idempotency_keys_by_age on users.idempotency_keys (created_at);

  -- Every user who was deleted: an id, and how far erasing has come.
  create table users.erasures (
    user_id uuid primary key,
    deleted_at timestamptz not null default users.clock(),
    -- Nothing of the person is left in this database.
    database_at timestamptz,
    -- Nor in Temporal.
    temporal_at timestamptz,
    -- When Temporal was last asked.
    asked_at timestamptz,
    -- Ids of the workflows that the user's occasions had, while Temporal may know them.
    workflows text[]
  );
  create index erasures_waiting on users.erasures (deleted_at) where temporal_at is null;

  -- A trigger, so that a hand in psql forgets no user either.
  create function users.note_deleted() returns trigger language plpgsql as $body$
  begin
    insert into users.erasures (user_id) values (old.id)
    on conflict (user_id) do update set deleted_at = excluded.deleted_at,
      database_at = null, temporal_at = null, asked_at = null, workflows = null;
    return null;
  end
  $body$;
  create trigger note_deleted after delete on users.users
    for each row execute function users.note_deleted();
`;

const EVENTS = `
  create schema events;

  -- The clock that due rows are compared with. A function, so that a test can replace it.
  create function events.clock() returns timestamptz
    language sql volatile as 'select clock_timestamp()';

  -- The order of changes of what decides dates besides a user's own inputs.
  create sequence events.rule_changes;

  -- What decides dates besides a user's own inputs, since when. Recorded by migrate.
  create table events.rules (
    id bigint primary key default nextval('events.rule_changes'),
    local_time text not null,
    leap_day_policy text not null,
    tz_version text not null,
    valid_from timestamptz not null default events.clock()
  );

  -- What was set for an occasion type; null: as the installation says. A type without a row has
  -- nothing of its own.
  create table events.occasion_types (
    type text primary key check (type ~ '^[a-z][a-z0-9-]{0,39}$' and type <> 'test'),
    -- A template; null: the built-in one.
    message text,
    -- HH:MM.
    delivery_time text,
    leap_day_policy text check (leap_day_policy in ('feb28', 'mar1')),
    -- How late a first attempt may be.
    late_limit_ms bigint check (late_limit_ms > 0),
    -- 'skip': what is late at all is not sent.
    when_late text check (when_late in ('send', 'skip')),
    destination text,
    revision integer not null default 1,
    updated_at timestamptz not null default events.clock()
  );
  -- Which settings that decide dates a type had since when.
  create table events.occasion_type_rules (
    id bigint primary key default nextval('events.rule_changes'),
    type text not null,
    delivery_time text,
    leap_day_policy text,
    valid_from timestamptz not null default events.clock()
  );
  create index occasion_type_rules_of_type on events.occasion_type_rules (type, id);

  -- One row per occasion: what survives its occurrences.
  create table events.occasions (
    type text not null,
    id uuid not null,
    user_id uuid not null,
    -- Goes up with every write: what the notifier has told is noted only if nothing else was written.
    version bigint not null default 1,
    -- When it was last planned, and the change of its inputs that the plan knew.
    planned_at timestamptz,
    inputs_at timestamptz,
    -- The last change of rules that the plan knew, of the installation's or the occasion type's.
    rules_id bigint not null default 0,
    -- The settled occurrence with the latest nominal date, SKIPPED ones aside.
    last_settled_key text,
    last_settled_nominal text,
    -- When its workflow is to wake, the due instant that this was computed for, and its place among
    -- those that wake for that instant.
    wake_at timestamptz,
    wake_due_at timestamptz,
    wake_place integer,
    -- When its workflow will wake at the latest, as far as the ledger knows; null: nothing is known.
    notified_wake_at timestamptz,
    -- When deliver last looked at it, and when it last had an answer.
    looked_at timestamptz,
    answered_at timestamptz,
    -- When the call that looked was made, by Temporal's clock: an earlier one writes nothing here.
    called_at timestamptz,
    -- No occurrence follows. Its workflow is asked to end; when it has been, or has ended by itself.
    ended_at timestamptz,
    end_notified_at timestamptz,
    -- Not to be notified before: Temporal refused it.
    notify_after timestamptz,
    primary key (type, id)
  );
  create index occasions_of_user on events.occasions (user_id);
  create index occasions_by_wake_due on events.occasions (wake_due_at, wake_place)
    where wake_due_at is not null;
  create index occasions_to_notify on events.occasions (wake_at)
    where ended_at is null and wake_at is not null
      and (notified_wake_at is null or notified_wake_at > wake_at);
  create index occasions_to_end on events.occasions (ended_at)
    where ended_at is not null and end_notified_at is null;
  create index occasions_ended on events.occasions (planned_at, id) where ended_at is not null;
  create index occasions_by_notified on events.occasions (notified_wake_at)
    where ended_at is null and notified_wake_at is not null;

  -- The ledger: src/ledger has every transition.
  create table events.occurrences (
    key text collate "C" primary key,
    occasion_type text not null,
    occasion_id uuid not null,
    user_id uuid not null,
    -- The day that the rule names, even where it does not exist: 2027-02-29.
    nominal_date text collate "C" not null,
    -- A PENDING row with a lease is shown as PROCESSING: no index has a column that a claim changes.
    state text not null
      check (state in ('PENDING', 'COMPLETED', 'FAILED', 'SKIPPED')),
    -- Why it FAILED or was SKIPPED.
    reason text,
    -- Why it has no due instant.
    blocked_reason text,

    -- The schedule inputs of the plan, and what they came to.
    recurrence text not null,
    rrule text,
    date date not null,
    offset_days integer not null default 0,
    timezone text not null,
    local_time text not null,
    leap_day_policy text not null,
    tz_version text not null,
    -- The last change of rules that the plan knew, of the installation's or the occasion type's.
    rules_id bigint not null default 0,
    -- The change of inputs that the plan knew.
    inputs_at timestamptz not null,
    local_date date,
    due_at timestamptz,
    -- When the next occurrence of the occasion falls due; this one is not attempted from then on.
    superseded_at timestamptz,
    planned_at timestamptz not null,

    -- When the row may be claimed, but for a lease; null while it waits for a plan, or is settled.
    next_attempt_at timestamptz,
    -- 0: a first attempt; 1: a retry or a redelivery, behind what is punctual.
    priority smallint not null default 0 check (priority in (0, 1)),
    -- Whose allowance it is sent within: that of the occasion type.
    destination text collate "C" not null default 'default',
    -- Until when the row is a process's, and the number of this lease. Neither may be indexed.
    lease_until timestamptz,
    lease_token integer not null default 0,
    -- Not before this, as the receiver asked.
    retry_not_before timestamptz,
    -- Attempts in all; those before this due instant or redelivery; the first of this one.
    attempts integer not null default 0,
    earlier_attempts integer not null default 0,
    first_attempt_at timestamptz,

    settled_at timestamptz,
    delivered_at timestamptz,
    lateness_ms bigint,
    -- What comes after it has been planned.
    followed boolean not null default false,

    redeliveries integer not null default 0,
    redelivered_at timestamptz,
    -- Which request that was, of one occurrence or of many.
    redelivery_id uuid,
    -- When it was last sent again although it had been delivered.
    forced_at timestamptz,

    -- W3C Trace Context of what was last done about it; null when traces are off.
    traceparent text,
    traced_at timestamptz,

    constraint blocked_has_no_instant check ((due_at is null) = (blocked_reason is not null)),
    constraint local_date_with_instant check ((due_at is null) = (local_date is null)),
    constraint lease_of_waiting check (lease_until is null or next_attempt_at is not null),
    constraint settled_waits_for_nothing check (state = 'PENDING' or next_attempt_at is null),
    constraint settled_says_when
      check ((state in ('COMPLETED', 'FAILED', 'SKIPPED')) = (settled_at is not null)),
    constraint reason_when_given_up check (
      case when state in ('FAILED', 'SKIPPED') then reason is not null
        when state = 'COMPLETED' then true else reason is null end),
    constraint blocked_is_pending check (blocked_reason is null or state <> 'COMPLETED'),
    constraint blocked_is_never_due check (due_at is not null or next_attempt_at is null),
    constraint never_early check (next_attempt_at is null or next_attempt_at >= due_at),
    constraint completed_was_delivered
      check (state <> 'COMPLETED' or (delivered_at is not null and attempts > 0)),
    constraint skipped_was_not_attempted
      check (state <> 'SKIPPED' or attempts = 0),
    constraint attempts_in_order check (earlier_attempts between 0 and attempts),
    constraint first_attempt_is_counted
      check (first_attempt_at is null or attempts > earlier_attempts),
    constraint lateness_of_delivered check ((delivered_at is null) = (lateness_ms is null)),
    constraint redelivered_at_once check ((redelivered_at is null) = (redeliveries = 0))
  -- Room on each page for a row or two that a claim writes anew: then no index is written.
  ) with (fillfactor = 90);
  -- At most one open row an occasion; a redelivery is not the planner's.
  create unique index occurrences_open on events.occurrences (occasion_type, occasion_id)
    where state = 'PENDING' and redeliveries = 0;
  create index occurrences_of_occasion on events.occurrences
    (occasion_type, occasion_id, nominal_date);
  create index occurrences_of_user on events.occurrences (user_id, due_at);
  create index occurrences_claimable on events.occurrences
    (destination, priority, next_attempt_at) where next_attempt_at is not null;
  -- Settled or redelivered since the occasion was last planned, or released and waiting for its plan.
  create index occurrences_to_plan on events.occurrences (occasion_type, occasion_id)
    where (not followed and (state in ('COMPLETED', 'FAILED', 'SKIPPED') or redeliveries > 0))
      or (state = 'PENDING' and next_attempt_at is null and blocked_reason is null);
  create index occurrences_by_instant on events.occurrences (due_at, key);
  -- Whose keys name a day, not a year: they are removed after a shorter time.
  create index occurrences_of_days on events.occurrences (due_at)
    where recurrence not in ('birthday', 'yearly');
  -- What is past due, and what is due next, without a walk over years of settled rows.
  create index occurrences_open_by_instant on events.occurrences (due_at, key)
    where state = 'PENDING';
  -- A state's pages, without a walk over years of rows in another.
  create index occurrences_failed on events.occurrences (due_at, key) where state = 'FAILED';
  -- With what only a search by that instant implies: not for pages, which need another order.
  create index occurrences_failed_by_settling on events.occurrences (settled_at)
    where state = 'FAILED' and settled_at is not null;
  create index occurrences_skipped on events.occurrences (due_at, key) where state = 'SKIPPED';
  create index occurrences_completed on events.occurrences (due_at, key) where state = 'COMPLETED';
  create index occurrences_of_redelivery on events.occurrences (redelivery_id)
    where redelivery_id is not null;
  create index occurrences_blocked on events.occurrences (key) where blocked_reason is not null;
  -- Later than the least that LATE_AFTER can be.
  create index occurrences_late on events.occurrences (due_at, key) where lateness_ms >= 1000;

  create table events.attempts (
    occurrence_key text collate "C" not null references events.occurrences (key),
    number integer not null,
    -- Of the lease that it was made under: a lease makes one attempt at the most.
    lease_token integer not null,
    -- 'dispatcher' or 'workflow'.
    sent_by text not null check (sent_by in ('dispatcher', 'workflow')),
    started_at timestamptz not null,
    duration_ms integer not null,
    outcome text not null,
    status integer,
    error_code text,
    response_excerpt text,
    primary key (occurrence_key, number),
    unique (occurrence_key, lease_token)
  );
  create index attempts_by_age on events.attempts (started_at);
  create index attempts_with_excerpt on events.attempts (started_at)
    where response_excerpt is not null;

  -- Rate limit, pause and backpressure of each destination: one truth for all processes that send.
  -- Every destination that a row of the ledger or an occasion type names has one.
  create table events.destinations (
    id text collate "C" primary key,
    paused_at timestamptz,
    pause_reason text,
    -- Requests a second; null for no limit.
    max_per_second double precision,
    allowance double precision not null default 0,
    allowance_at timestamptz not null default events.clock(),
    -- It is slowed while slowed_ends_at > events.clock(); all of these are null when it never was
    -- or has recovered.
    slowed_since timestamptz,
    -- Nothing is sent before this.
    slowed_until timestamptz,
    -- Requests a second after that.
    slowed_per_second double precision,
    -- How often in a row it was told to stop.
    slowed_stops integer,
    slowed_changed_at timestamptz,
    -- A slow-down that nothing confirms is over by then.
    slowed_ends_at timestamptz
  );
  insert into events.destinations (id) values ('default');

  -- Dispatchers that are alive, one for each destination that a process sends to: stamped when a
  -- claim came back or when there is no free slot.
  create table events.dispatchers (
    id uuid primary key,
    destination text collate "C" not null default 'default',
    stamped_at timestamptz not null,
    -- When a claim last came back with less than it asked for.
    short_at timestamptz,
    -- When it last had no free slot, or a claim came back full.
    busy_at timestamptz
  );

  -- One row: when an API process last found that its requests are slow. Planning and notifying
  -- give way then.
  create table events.slow_requests (
    is_only boolean primary key default true check (is_only),
    stamped_at timestamptz
  );
  insert into events.slow_requests default values;

  -- What the reconciler found amiss and has not seen cured.
  create table events.findings (
    -- A workflow id, or an occurrence's key.
    subject text not null,
    kind text not null,
    occasion_type text not null,
    occasion_id uuid not null,
    user_id uuid,
    due_at timestamptz,
    found_at timestamptz not null default events.clock(),
    tries integer not null default 0,
    tried_at timestamptz,
    note text not null,
    -- What was tried has not cured it.
    unrepaired_at timestamptz,
    primary key (kind, subject)
  );
  create table events.reconciler (
    id boolean primary key default true check (id),
    -- The Temporal store that the workflows live in, by the id of its namespace.
    store_id text,
    -- How far forgetting the wakes of a lost store has come; null when there is nothing to forget.
    forget_after text,
    -- Since when Temporal has answered without a break.
    temporal_back_at timestamptz,
    -- When the ledger was last looked through, when the workflows were, and when all ids were last
    -- compared with Temporal's.
    ledger_looked_at timestamptz,
    workflows_looked_at timestamptz,
    compared_at timestamptz
  );
  insert into events.reconciler default values;

  -- Of users who were erased: that there was such an occurrence, by the hash of its key, and what
  -- became of it. No day, no instant, no zone.
  create table events.erased_occurrences (
    key_hash bytea primary key,
    occasion_type text not null,
    user_id uuid not null,
    state text not null,
    reason text,
    attempts integer not null,
    lateness_ms bigint,
    redeliveries integer not null,
    erased_at timestamptz not null default events.clock()
  );
  create index erased_occurrences_of_user on events.erased_occurrences (user_id);
  -- How many of them were due on a day, for the audit of that day.
  create table events.erased_days (
    occasion_type text not null,
    local_date date not null,
    state text not null,
    occurrences integer not null,
    primary key (local_date, occasion_type, state)
  );
  -- Audits of days whose occurrences are no longer kept: numbers alone.
  create table events.audits (
    date date primary key,
    report jsonb not null
  );

  -- Who is signed in to the console. Of tokens, SHA-256 in hexadecimal.
  create table events.console_sessions (
    token_hash text primary key,
    -- The one before, which requests under way may still have.
    previous_hash text,
    -- What the token was derived from that one with; null once the token has been presented.
    rotation_key text,
    -- By which it ends when the key is no longer among the settings.
    key_name text not null,
    key_hash text not null,
    csrf text not null,
    created_at timestamptz not null default events.clock(),
    rotated_at timestamptz not null default events.clock(),
    expires_at timestamptz not null
  );
  create index console_sessions_before on events.console_sessions (previous_hash)
    where previous_hash is not null;

  -- What came of a form of the console, for the page that follows it; HTML. That of an import has
  -- the refused rows.
  create table events.console_results (
    id uuid primary key default gen_random_uuid(),
    -- Whose it is: SHA-256, in hexadecimal, of what the forms of the session carry.
    owner text not null,
    title text not null,
    body text not null,
    expires_at timestamptz not null
  );
  create index console_results_by_age on events.console_results (expires_at);

  -- Every change that an operator makes, written before it is made. Ids, filters and counts, and no
  -- personal data.
  create table events.operator_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default events.clock(),
    -- The name of the API key; null where there are no keys.
    actor text collate "C",
    via text not null check (via in ('api', 'console')),
    -- The operationId of the API's route.
    action text not null,
    -- A user's id, an occurrence's key, a destination or an occasion type.
    subject text collate "C",
    detail jsonb not null default '{}',
    -- HTTP status; null until it is completed.
    outcome integer
  );
  create index operator_log_by_age on events.operator_log (at, id);
  create index operator_log_of_subject on events.operator_log (subject, at, id)
    where subject is not null;
  create index operator_log_of_actor on events.operator_log (actor, at, id)
    where actor is not null;

  -- Events for operators that wait to be sent; those that were accepted are gone.
  create table events.operations_events (
    id uuid primary key default gen_random_uuid(),
    body jsonb not null,
    created_at timestamptz not null default events.clock(),
    attempts integer not null default 0,
    -- When it may be sent: at once, after a failure later, while leased at the end of the lease.
    available_at timestamptz not null default events.clock()
  );
  create index operations_events_waiting on events.operations_events (available_at);
  -- What has been reported to operators: one row, locked by the process that looks.
  create table events.operations_state (
    id boolean primary key default true check (id),
    failures_looked_at timestamptz,
    failures_reported_at timestamptz,
    backlog_since timestamptz,
    backlog_seen_at timestamptz,
    audited_at timestamptz,
    -- Destinations that are paused, each with the instant in epoch ms.
    paused jsonb not null default '{}',
    -- Days with unaccounted occurrences, each with how many.
    unaccounted jsonb not null default '{}'
  );
  insert into events.operations_state default values;
  -- Failures of the last hour that have been reported.
  create table events.reported_failures (
    key_hash bytea not null,
    settled_at timestamptz not null,
    primary key (settled_at, key_hash)
  );

  -- One row: what distinguishes this installation from every other, also after a restore.
  create table events.installation (
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default events.clock(),
    -- Which are in force, as migrate recorded them last; null before it has.
    late_after_ms bigint,
    late_limit_ms bigint,
    give_up_after_ms bigint,
    is_the_only_one boolean primary key default true check (is_the_only_one)
  );
  insert into events.installation default values;
`;
