import { Migration } from '@mikro-orm/migrations';

/** What the ledger keeps of redeliveries. */
export class Redelivery0003 extends Migration {
  override up(): void {
    this.addSql(`
      alter table events.occurrences
        -- The redelivery that has the row, or had it last. Once there was one, the row is no
        -- longer the planner's: it is settled, or being sent again.
        add column redelivery_id uuid,
        add column redeliveries integer not null default 0,
        -- When the last of them began.
        add column redelivered_at timestamptz,
        -- When it was last sent again although it had been delivered.
        add column forced_at timestamptz,
        -- Attempts made before the last redelivery: its own give-up clock and pauses count from there.
        add column earlier_attempts integer not null default 0;
    `);
  }

  override down(): void {
    this.addSql(`
      alter table events.occurrences
        drop column redelivery_id, drop column redeliveries, drop column redelivered_at,
        drop column forced_at, drop column earlier_attempts;
    `);
  }
}
