import { Migration } from '@mikro-orm/migrations';

/** What planning knew of a user, and the activities that no row of the ledger waits with any more. */
export class ReplayAndStaleTokens0005 extends Migration {
  override up(): void {
    this.addSql(`
      -- users.facts_changed_at as the plan saw it: what is later, planning does not know yet.
      alter table events.occurrences add column facts_at timestamptz;

      -- One user's changes, the latest first.
      create index history_of_user on users.history (user_id, id);

      -- Task tokens of activities that are open in Temporal for a row that was removed, or that
      -- waits with another token: told 'released', and then forgotten.
      create table events.stale_tokens (
        task_token bytea primary key,
        occurrence_key text not null,
        dropped_at timestamptz not null default events.clock(),
        -- A reporter is at it until then.
        reporting_until timestamptz
      );
      create index stale_tokens_waiting on events.stale_tokens (reporting_until nulls first);
    `);
  }

  override down(): void {
    this.addSql(`
      drop table events.stale_tokens;
      drop index users.history_of_user;
      alter table events.occurrences drop column facts_at;
    `);
  }
}
