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

/** The migrations that ran, in order. By JSON, because the column is not there until the first one ran. */
export function findRanMigrations(query: Query): Promise<RanMigration[]> {
  return query(`
    select name, to_jsonb(ran) ->> 'compatible_from' as "compatibleFrom"
    from daybell_migrations as ran order by name`);
}

/**
 * Records beside each migration that ran which code it is compatible with, for code that does not
 * know it. What is recorded already is not written again: processes that start meanwhile read it.
 */
export async function recordCompatibility(
  query: Query,
  migrations: readonly MigrationEntry[],
): Promise<void> {
  for (const { name, compatibleFrom } of migrations) {
    if (compatibleFrom !== undefined) await query(RECORD, { name, compatibleFrom });
  }
}

/** The first migration adds the column to MikroORM's table. */
const RECORD = `
  update daybell_migrations set compatible_from = :compatibleFrom
  where name = :name and compatible_from is distinct from :compatibleFrom`;
