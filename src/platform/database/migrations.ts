import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';

import { Initial0001 } from '../../../migrations/0001-initial.ts';

/** A migration, and which older code can work on its schema (docs/deploys.md). */
export interface MigrationEntry {
  readonly name: string;
  readonly class: Constructor<Migration>;
  /**
   * An earlier migration: code that knows that one still starts and works on the schema that this
   * one makes. Not given: only code that knows this one does.
   */
  readonly compatibleFrom?: string;
  /** If it removes something or requires more: what that is, which code of `compatibleFrom` does without. */
  readonly contracts?: string;
}

/** All of them, in order. `migrations.test.ts` holds their SQL against what they claim. */
export const migrationsList: readonly MigrationEntry[] = [
  { name: '0001-initial', class: Initial0001 },
];

/** The names of this version's migrations, in order. */
export const MIGRATIONS: readonly string[] = migrationsList.map(({ name }) => name);

export interface RanMigration {
  readonly name: string;
  readonly compatibleFrom: string | null;
}

/** Runs a statement. */
export type Query = <Row extends object>(
  sql: string,
  parameters?: Readonly<Record<string, unknown>>,
) => Promise<Row[]>;

/** The migrations that ran, in order. By JSON, because the column may not exist. */
export function findRanMigrations(query: Query): Promise<RanMigration[]> {
  return query(`
    select name, to_jsonb(ran) ->> 'compatible_from' as "compatibleFrom"
    from daybell_migrations as ran order by name`);
}

/**
 * Records beside each migration that ran which code it is compatible with, for code that does not
 * know it: in a column that is added to MikroORM's table.
 */
export async function recordCompatibility(
  query: Query,
  migrations: readonly MigrationEntry[],
): Promise<void> {
  const ran = await findRanMigrations(query);
  const unrecorded = migrations.filter(
    ({ name, compatibleFrom = null }) =>
      compatibleFrom !== null &&
      ran.some((row) => row.name === name && row.compatibleFrom !== compatibleFrom),
  );
  // Processes that start meanwhile read the table: it is locked only when there is something to record.
  if (unrecorded.length === 0) return;
  await query('alter table daybell_migrations add column if not exists compatible_from text');
  for (const { name, compatibleFrom } of unrecorded) {
    await query(
      'update daybell_migrations set compatible_from = :compatibleFrom where name = :name',
      { name, compatibleFrom },
    );
  }
}
