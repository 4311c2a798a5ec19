import { Migration } from '@mikro-orm/migrations';

/** What is asked of one user's events is answered by the unique key, which begins with the user. */
export class OneOutboxIndexLess0011 extends Migration {
  override up(): void {
    this.addSql('drop index users.outbox_waiting_by_user');
  }

  override down(): void {
    this.addSql(`
      create index outbox_waiting_by_user on users.outbox (subscriber, user_id, revision)
        where relayed_at is null and set_aside_at is null`);
  }
}
