import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';

import { Initial0001 } from '../../../migrations/0001-initial.ts';

/** A migration, and which older code can work on its schema (docs/deploys.md). */
export interface MigrationEntry {
  readonly name: string;
  readonly class: Constructor<Migration>;
  /**
   * An earlier migration: code that knows that one can still start and work on the schema that this
   * one creates. If absent, only code that knows this one can.
   */
  readonly compatibleFrom?: string;
  /**
   * If it removes or requires something: what that is, and why code of `compatibleFrom` works
   * without it.
   */
  readonly contracts?: string;
}

/** All of them, in order. `migrations.test.ts` checks their SQL against their claims. */
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

/**
 * The migrations that ran, in order. Read as JSON, because the column does not exist until the
 * first one ran.
 */
export function findRanMigrations(query: Query): Promise<RanMigration[]> {
  return query(`
    select name, to_jsonb(ran) ->> 'compatible_from' as "compatibleFrom"
    from daybell_migrations as ran order by name`);
}

/**
 * Records beside each migration that ran which code it is compatible with, for code that does not
 * know it. What is recorded already is not written again, because starting processes may be reading
 * it.
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
