import type { Orm } from './orm.ts';

/** The id of the installation that this database is of; null before it has been migrated. */
export async function findInstallationId(orm: Orm): Promise<string | null> {
  try {
    const [row] = await orm.em
      .fork()
      .execute<{ id: string }[]>('select id from events.installation');
    return row?.id ?? null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE) return null;
    throw error;
  }
}

/** A SQLSTATE. */
const UNDEFINED_TABLE = '42P01';
