import { withinLimit } from '../async.ts';
import { type ReadinessCheck, readinessCheck } from '../service.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Orm } from './orm.ts';

/** A database that takes longer for a trivial query is not usable. */
const ANSWER_WITHIN_MS = 2_000;

/** Whether the database answers, and all migrations of this version have run. Never rejects. */
export async function checkDatabase(orm: Orm): Promise<ReadinessCheck[]> {
  try {
    const rows = await withinLimit(
      orm.em.fork().execute<{ name: string }[]>('select name from daybell_migrations'),
      ANSWER_WITHIN_MS,
    );
    const ran = new Set(rows.map(({ name }) => name));
    return databaseChecks(
      true,
      MIGRATIONS.every((name) => ran.has(name)),
    );
  } catch (error) {
    return databaseChecks(isUndefinedTable(error), false);
  }
}

function databaseChecks(reachable: boolean, migrated: boolean): ReadinessCheck[] {
  const why = reachable ? 'some have not run: npm run migrate' : 'not known';
  return [
    readinessCheck('database', reachable, 'does not answer'),
    readinessCheck('migrations', migrated, why),
  ];
}

/** The id of the installation whose database this is; null before it has been migrated. */
export async function findInstallationId(orm: Orm): Promise<string | null> {
  try {
    const sql = 'select id from events.installation';
    const [row] = await orm.em.fork().execute<{ id: string }[]>(sql);
    return row?.id ?? null;
  } catch (error) {
    if (isUndefinedTable(error)) return null;
    throw error;
  }
}

/** Seconds that the sessions of the whole server have spent in ended statements, since its statistics began. */
export async function findActiveSeconds(orm: Orm): Promise<number> {
  // Any role may read it.
  const [load] = await orm.em.fork().execute<{ seconds: number }[]>(`
    select (coalesce(sum(active_time), 0) / 1000)::float8 as seconds from pg_stat_database`);
  return load?.seconds ?? 0;
}

/** By its SQLSTATE: the database has not been migrated. */
function isUndefinedTable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42P01';
}
