import { Migration } from '@mikro-orm/migrations';

/** What a forecast finds whoever has a day by; and which trace an event and an occurrence belong to. */
export class ForecastAndTraces0010 extends Migration {
  override up(): void {
    this.addSql(`
      create index users_by_day on users.users
        (((extract(month from date_of_birth) * 100 + extract(day from date_of_birth))::int));

      -- W3C Trace Context of the request that made the change; null when traces are off.
      alter table users.outbox add column traceparent text;
      -- The same of what was last done about it, and since when its trace goes on.
      alter table events.occurrences
        add column traceparent text,
        add column traced_at timestamptz;
    `);
  }

  override down(): void {
    this.addSql(`
      alter table events.occurrences drop column traceparent, drop column traced_at;
      alter table users.outbox drop column traceparent;
      drop index users.users_by_day;
    `);
  }
}
