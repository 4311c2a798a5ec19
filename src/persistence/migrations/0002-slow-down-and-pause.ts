import { Migration } from '@mikro-orm/migrations';

/** What the destination's row knows of a pause, and of a slow-down that the receiver asked for. */
export class SlowDownAndPause0002 extends Migration {
  override up(): void {
    this.addSql(`
      alter table events.destinations
        -- Why it is paused, in the words of whoever paused it.
        add pause_reason text,
        -- It is slowed while slowed_ends_at > events.clock(); all of these are null when it never was
        -- or has recovered. src/domain/destination-pace.ts has the rules.
        add slowed_since timestamptz,
        -- Nothing is sent before this.
        add slowed_until timestamptz,
        -- Requests a second after that.
        add slowed_per_second double precision,
        -- How often in a row it was told to stop.
        add slowed_stops integer,
        add slowed_changed_at timestamptz,
        -- A slow-down that nothing confirms is over by then.
        add slowed_ends_at timestamptz;
    `);
  }

  override down(): void {
    this.addSql(`
      alter table events.destinations
        drop pause_reason, drop slowed_since, drop slowed_until, drop slowed_per_second,
        drop slowed_stops, drop slowed_changed_at, drop slowed_ends_at;
    `);
  }
}
