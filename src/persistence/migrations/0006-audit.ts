import { Migration } from '@mikro-orm/migrations';

/** What an audit finds whoever was born on a day by. */
export class Audit0006 extends Migration {
  override up(): void {
    this.addSql(`
      create index history_by_day on users.history
        (((extract(month from date_of_birth) * 100 + extract(day from date_of_birth))::int), user_id);
    `);
  }

  override down(): void {
    this.addSql('drop index users.history_by_day;');
  }
}
