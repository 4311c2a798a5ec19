import { Migration } from '@mikro-orm/migrations';

/** Indexes for who reads the ledger page by page, and for what is kept for a time only. */
export class ReadingAndRetention0004 extends Migration {
  override up(): void {
    this.addSql(`
      -- A state's pages, without a walk over years of rows in another. Partial ones, not one
      -- over (state, fire_at, key): a delivery changes its row at least three times, and each
      -- time writes to every index that the row is in.
      create index occurrences_pending_by_instant on events.occurrences (fire_at, key)
        where state = 'PENDING';
      create index occurrences_processing_by_instant on events.occurrences (fire_at, key)
        where state = 'PROCESSING';
      create index occurrences_completed on events.occurrences (fire_at, key)
        where state = 'COMPLETED';
      create index occurrences_failed on events.occurrences (fire_at, key)
        where state = 'FAILED';
      create index occurrences_skipped on events.occurrences (fire_at, key)
        where state = 'SKIPPED';
      create index occurrences_blocked on events.occurrences (fire_at, key)
        where blocked_reason is not null;
      -- Later than the least that LATE_AFTER can be.
      create index occurrences_late on events.occurrences (fire_at, key)
        where lateness_ms >= 1000;

      create index attempts_by_age on events.attempts (started_at);
      create index attempts_with_excerpt on events.attempts (started_at)
        where response_excerpt is not null;
      create index outbox_relayed on users.outbox (relayed_at) where relayed_at is not null;
    `);
  }

  override down(): void {
    this.addSql(`
      drop index events.occurrences_pending_by_instant, events.occurrences_processing_by_instant,
        events.occurrences_completed, events.occurrences_failed, events.occurrences_skipped, events.occurrences_blocked,
        events.occurrences_late, events.attempts_by_age, events.attempts_with_excerpt,
        users.outbox_relayed;
    `);
  }
}
