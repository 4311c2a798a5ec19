import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';

/** A migration, and who goes on after it. */
export interface MigrationEntry {
  readonly name: string;
  readonly class: Constructor<Migration>;
  /**
   * An earlier migration: code that knows it, and so the version that had it last, still starts and
   * works on the schema that this one makes. Not given: only code that knows this one does.
   */
  readonly survivedFrom?: string;
  /**
   * Of one that takes something away, or asks for more: what that is, and that code of
   * `survivedFrom` does without.
   */
  readonly contracts?: string;
}

/**
 * Keeps beside each migration that ran who survives it, for code that does not know it. A
 * column of MikroORM's own table, which knows nothing of it.
 */
export async function noteSurvivors(
  execute: (sql: string, parameters: readonly string[]) => Promise<unknown>,
  migrations: readonly MigrationEntry[],
): Promise<void> {
  const noted = (await execute(FIND_NOTED, [])) as { name: string; survivedFrom: string | null }[];
  const unnoted = migrations.filter(
    ({ name, survivedFrom = null }) =>
      survivedFrom !== null &&
      noted.some((row) => row.name === name && row.survivedFrom !== survivedFrom),
  );
  // Processes that start meanwhile read the table: it is locked only when there is something to note.
  if (unnoted.length === 0) return;
  await execute('alter table daybell_migrations add column if not exists survived_from text', []);
  for (const { name, survivedFrom = '' } of unnoted) {
    await execute('update daybell_migrations set survived_from = ? where name = ?', [
      survivedFrom,
      name,
    ]);
  }
}

/** The migrations that ran, in order; by JSON, because the column may not be there. */
export const FIND_NOTED = `
  select name, to_jsonb(ran) ->> 'survived_from' as "survivedFrom"
  from daybell_migrations as ran order by name`;
