import { Migration } from '@mikro-orm/migrations';

/** The two contexts, a schema each, with no foreign key between them. */
export class Initial0001 extends Migration {
  override up(): void {
    this.addSql(`
      create schema users;

      create table users.users (
        id uuid primary key,
        external_id text unique,
        first_name text not null,
        last_name text not null,
        date_of_birth date not null,
        timezone text not null,
        revision integer not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        -- When date of birth or timezone last changed; at first, created_at.
        facts_changed_at timestamptz not null
      );
      create index users_timezone on users.users (timezone, id);

      -- Who had which date and zone when: what the audit reads. No names.
      create table users.history (
        id bigint generated always as identity primary key,
        user_id uuid not null,
        date_of_birth date not null,
        timezone text not null,
        valid_from timestamptz not null,
        valid_until timestamptz
      );
      create unique index history_current on users.history (user_id) where valid_until is null;

      -- Domain events, written in the transaction of the change, relayed at least once.
      create table users.outbox (
        id bigint generated always as identity primary key,
        type text not null,
        user_id uuid not null,
        revision integer not null,
        -- Names of the fields that changed; never their values.
        changed text[] not null default '{}',
        occurred_at timestamptz not null,
        attempts integer not null default 0,
        claimed_until timestamptz,
        next_attempt_at timestamptz,
        last_error text,
        relayed_at timestamptz,
        set_aside_at timestamptz,
        unique (user_id, revision)
      );
      create index outbox_waiting on users.outbox (id)
        where relayed_at is null and set_aside_at is null;
      create index outbox_waiting_by_user on users.outbox (user_id, revision)
        where relayed_at is null and set_aside_at is null;

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
    `);
    this.addSql(`
      create schema events;

      -- The clock that due rows are compared with. A function, so that a test can replace it.
      create function events.clock() returns timestamptz
        language sql volatile as 'select clock_timestamp()';

      create table events.occurrences (
        key text primary key,
        event_type text not null,
        user_id uuid not null,
        -- The year of this event on the user's own calendar.
        year integer not null,
        state text not null check (state in ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'SKIPPED')),
        -- Why it FAILED or was SKIPPED.
        reason text,
        -- Why it cannot be planned; then there is no fire_at.
        blocked_reason text,

        -- The facts and rules that it was planned with.
        anchor_date date not null,
        timezone text not null,
        local_time text not null,
        leap_day_policy text not null,
        tz_version text not null,
        local_date date,
        fire_at timestamptz,
        planned_at timestamptz not null,
        rechecked_at timestamptz,

        -- While armed: when the next claim may take it, in which lane (0 on time, 1 late).
        armed_at timestamptz,
        lane smallint not null default 0,
        next_attempt_at timestamptz,
        sending_until timestamptz,
        -- Not before this instant, once the ledger's own retries are used up.
        retry_at timestamptz,
        fence integer not null default 0,
        -- Attempts in all, and since it was last armed.
        attempts integer not null default 0,
        armed_attempts integer not null default 0,
        first_attempt_at timestamptz,

        settled_at timestamptz,
        delivered_at timestamptz,
        lateness_ms bigint,

        -- The open Temporal activity, and what is to be reported to it.
        task_token bytea,
        report text check (report in ('delivered', 'failed', 'skipped', 'released', 'retry')),
        -- A reporter is at it until then.
        reporting_until timestamptz,

        check (state <> 'PENDING' or blocked_reason is not null or fire_at is not null)
      );
      create unique index occurrences_pending on events.occurrences (user_id, event_type)
        where state = 'PENDING';
      create index occurrences_of_user on events.occurrences (user_id, event_type, year);
      create index occurrences_by_instant on events.occurrences (fire_at, key);
      -- The armed rows: small, however many users there are.
      create index occurrences_armed on events.occurrences (lane, next_attempt_at)
        where state = 'PROCESSING' and next_attempt_at is not null;
      create index occurrences_unreported on events.occurrences (reporting_until nulls first, key)
        where report is not null;

      create table events.attempts (
        occurrence_key text not null references events.occurrences (key),
        number integer not null,
        started_at timestamptz not null,
        duration_ms integer not null,
        outcome text not null,
        status integer,
        error_code text,
        response_excerpt text,
        primary key (occurrence_key, number)
      );

      -- Pace and pause: one truth for all dispatchers.
      create table events.destinations (
        id text primary key,
        paused_at timestamptz,
        -- Requests a second; null for no limit.
        max_per_second double precision,
        allowance double precision not null default 0,
        allowance_at timestamptz not null default clock_timestamp()
      );
      insert into events.destinations (id) values ('default');
    `);
  }

  override down(): void {
    this.addSql('drop schema events cascade');
    this.addSql('drop schema users cascade');
  }
}
