import { Migration } from '@mikro-orm/migrations';

/** What the reconciler remembers from one look to the next. */
export class Reconciler0007 extends Migration {
  override up(): void {
    this.addSql(`
      -- What is amiss, for as long as it is. Small, but after the loss of a Temporal store.
      create table events.findings (
        -- The occurrence's key; '<event type>:<user id>' for a user without a plan; 'outbox:<id>'.
        subject text primary key,
        kind text not null,
        event_type text,
        user_id uuid,
        -- The fire instant: the soonest are told first.
        due_at timestamptz,
        -- The plan as it was found: a later one has cured what only a plan can.
        planned_at timestamptz,
        found_at timestamptz not null default events.clock(),
        -- Still so a moment later: until then it is a suspicion, which nobody hears of.
        confirmed_at timestamptz,
        tried_at timestamptz,
        tries integer not null default 0,
        -- Why it was not told to plan again.
        note text,
        -- What was tried has not cured it.
        unrepaired_at timestamptz
      );

      create table events.reconciler (
        id boolean primary key default true check (id),
        -- The Temporal store that the followers live in, by the id of its namespace.
        store_id text,
        -- When there was another store before: plans of up to here were made in that one.
        planned_elsewhere_until timestamptz,
        last_succeeded_at timestamptz
      );
      insert into events.reconciler default values;

      create index outbox_set_aside on users.outbox (id) where set_aside_at is not null;
    `);
  }

  override down(): void {
    this.addSql(`
      drop index users.outbox_set_aside;
      drop table events.reconciler;
      drop table events.findings;
    `);
  }
}
