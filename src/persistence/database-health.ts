import { withinLimit } from '../observability/within-limit.ts';
import { MIGRATIONS, type Orm } from './orm.ts';

/** A database that takes longer than this for nothing is not there for anybody. */
const ANSWER_WITHIN_MS = 2_000;

export interface DatabaseHealth {
  readonly reachable: boolean;
  /** Whether every migration of this version has run. */
  readonly migrated: boolean;
}

/** Whether the database answers, and is this version's. It never rejects. */
export async function checkDatabase(orm: Orm): Promise<DatabaseHealth> {
  try {
    const rows = await withinLimit(
      orm.em.fork().execute<{ name: string }[]>('select name from daybell_migrations'),
      ANSWER_WITHIN_MS,
    );
    const ran = new Set(rows.map(({ name }) => name));
    return { reachable: true, migrated: MIGRATIONS.every((name) => ran.has(name)) };
  } catch (error) {
    return { reachable: isUndefinedTable(error), migrated: false };
  }
}

/** SQLSTATE of a table that does not exist: nothing was migrated yet. */
function isUndefinedTable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42P01';
}
