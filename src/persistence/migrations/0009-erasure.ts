import { Migration } from '@mikro-orm/migrations';

/** Who was deleted and is still to be erased, and what stays of those who were. */
export class Erasure0009 extends Migration {
  override up(): void {
    this.addSql(`
      -- Everybody who was ever deleted: an id, and how far erasing them has come.
      create table users.erasures (
        user_id uuid primary key,
        deleted_at timestamptz not null default clock_timestamp(),
        -- Nothing of the person is left in this database.
        database_at timestamptz,
        -- Nor in Temporal.
        temporal_at timestamptz,
        -- When Temporal was last asked.
        asked_at timestamptz
      );
      create index erasures_waiting on users.erasures (deleted_at) where temporal_at is null;

      -- A trigger, so that a process of the version before, or a hand in psql, forgets nobody.
      create function users.note_deleted() returns trigger language plpgsql as $body$
      begin
        insert into users.erasures (user_id) values (old.id)
        on conflict (user_id) do update set deleted_at = excluded.deleted_at,
          database_at = null, temporal_at = null, asked_at = null;
        return null;
      end
      $body$;
      create trigger note_deleted after delete on users.users
        for each row execute function users.note_deleted();

      -- Those who were deleted before there was this.
      insert into users.erasures (user_id, deleted_at)
      select user_id, coalesce(max(valid_until), clock_timestamp()) from users.history as h
      where not exists (select from users.users as u where u.id = h.user_id)
      group by user_id;
      update users.idempotency_keys set request_hash = '' where body is null;

      -- What the ledger keeps of them: that there was such an occurrence, and what became of it.
      -- No day, no instant, no zone.
      create table events.erased_occurrences (
        key text primary key,
        event_type text not null,
        user_id uuid not null,
        state text not null,
        reason text,
        attempts integer not null,
        lateness_ms bigint,
        redeliveries integer not null
      );
      create index erased_occurrences_of_user on events.erased_occurrences (user_id);

      -- How many of them were due on a day, for the audit of that day: numbers, and nobody's.
      create table events.erased_days (
        event_type text not null,
        local_date date not null,
        state text not null,
        occurrences integer not null,
        primary key (event_type, local_date, state)
      );
    `);
  }

  override down(): void {
    this.addSql(`
      drop table events.erased_days;
      drop table events.erased_occurrences;
      drop trigger note_deleted on users.users;
      drop function users.note_deleted();
      drop table users.erasures;
    `);
  }
}
