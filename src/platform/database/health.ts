import { withinLimit } from '../async.ts';
import { errorCode } from '../errors.ts';
import { type ReadinessCheck, readinessCheck } from '../probes.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Orm } from './orm.ts';
import { DatabaseUnusableError, whyUnusable } from './unusable.ts';

/** A database that takes longer for a trivial query is unusable. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * Checks that the database is usable, and that all migrations of this version have run. Never
 * rejects.
 */
export async function checkDatabase(orm: Orm): Promise<ReadinessCheck[]> {
  try {
    await requireDatabase(orm);
    return databaseChecks(null, null);
  } catch (error) {
    const why = whyUnusable(error) ?? 'does not answer';
    return error instanceof NotMigratedError || errorCode(error) === UNDEFINED_TABLE
      ? databaseChecks(null, why)
      : databaseChecks(why, 'not known');
  }
}

function databaseChecks(unusable: string | null, unmigrated: string | null): ReadinessCheck[] {
  return [
    readinessCheck('database', unusable === null, unusable ?? ''),
    readinessCheck('migrations', unmigrated === null, unmigrated ?? ''),
  ];
}

/**
 * Resolves if the database answers, accepts writes of this user, and all migrations of this version
 * have run.
 *
 * @throws DatabaseUnusableError, or the database's own error
 */
export async function requireDatabase(orm: Orm): Promise<void> {
  const [state] = await withinLimit(
    orm.em.fork().execute<State[]>(`
      select array(select name from daybell_migrations) as ran,
        current_setting('transaction_read_only') = 'on' as "isReadOnly",
        has_table_privilege('events.occurrences', 'update') as "mayWrite"`),
    ANSWER_WITHIN_MS,
  );
  if (!MIGRATIONS.every((name) => state?.ran.includes(name))) throw new NotMigratedError();
  if (state?.isReadOnly)
    throw new DatabaseUnusableError('it is read-only: a standby, or a failover is under way');
  if (!state?.mayWrite) {
    throw new DatabaseUnusableError(
      "the user may not write Daybell's tables: deploy/postgres/roles.sql has who may",
    );
  }
}

interface State {
  readonly ran: readonly string[];
  readonly isReadOnly: boolean;
  readonly mayWrite: boolean;
}

class NotMigratedError extends DatabaseUnusableError {
  constructor() {
    super('some migrations have not run: npm run migrate');
  }
}

/** The id of the installation that this database belongs to; null before it has been migrated. */
export async function findInstallationId(orm: Orm): Promise<string | null> {
  try {
    const sql = 'select id from events.installation';
    const [row] = await orm.em.fork().execute<{ id: string }[]>(sql);
    return row?.id ?? null;
  } catch (error) {
    if (errorCode(error) === UNDEFINED_TABLE) return null;
    throw error;
  }
}

/**
 * Seconds that the sessions of the whole server have spent in completed statements, since its
 * statistics began.
 */
export async function findActiveSeconds(orm: Orm): Promise<number> {
  // Any role may read it.
  const [load] = await orm.em.fork().execute<{ seconds: number }[]>(`
    select (coalesce(sum(active_time), 0) / 1000)::float8 as seconds from pg_stat_database`);
  return load?.seconds ?? 0;
}

/** Its SQLSTATE: the database has not been migrated. */
const UNDEFINED_TABLE = '42P01';
