import { Migration } from '@mikro-orm/migrations';

/** An outbox entry for each subscriber of an event, and the installation that this database is of. */
export class SubscribersAndInstallation0008 extends Migration {
  override up(): void {
    this.addSql(`
      -- Who is told of events, from then on.
      create table users.subscribers (
        name text primary key,
        subscribed_at timestamptz not null default clock_timestamp()
      );
      insert into users.subscribers (name) values ('scheduling');

      -- The default is for processes of the version before, which know of one subscriber.
      alter table users.outbox
        add column subscriber text not null default 'scheduling',
        drop constraint outbox_user_id_revision_key,
        add unique (user_id, revision, subscriber);

      drop index users.outbox_waiting, users.outbox_waiting_by_user;
      create index outbox_waiting on users.outbox (subscriber, id)
        where relayed_at is null and set_aside_at is null;
      create index outbox_waiting_by_user on users.outbox (subscriber, user_id, revision)
        where relayed_at is null and set_aside_at is null;

      -- One row: what tells this installation from every other, also after a restore.
      create table events.installation (
        id uuid not null default gen_random_uuid(),
        created_at timestamptz not null default clock_timestamp(),
        is_the_only_one boolean primary key default true check (is_the_only_one)
      );
      insert into events.installation default values;
    `);
  }

  override down(): void {
    this.addSql(`
      drop table events.installation;
      delete from users.outbox where subscriber <> 'scheduling';
      drop index users.outbox_waiting, users.outbox_waiting_by_user;
      alter table users.outbox
        drop constraint outbox_user_id_revision_subscriber_key,
        drop column subscriber,
        add unique (user_id, revision);
      create index outbox_waiting on users.outbox (id)
        where relayed_at is null and set_aside_at is null;
      create index outbox_waiting_by_user on users.outbox (user_id, revision)
        where relayed_at is null and set_aside_at is null;
      drop table users.subscribers;
    `);
  }
}
