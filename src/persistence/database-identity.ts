/** Whose a database is. Nothing here writes to it. */
import { FIND_NOTED } from './survivors.ts';

export type DatabaseIdentity =
  /** Daybell has never been here, and nothing is in its way. */
  | { readonly kind: 'free' }
  | { readonly kind: 'ours'; readonly isUpToDate: boolean }
  /** Not to be used, for this reason. */
  | { readonly kind: 'refused'; readonly why: string };

/** Runs a statement without parameters. */
export type Query = <Row extends object>(sql: string) => Promise<Row[]>;

/**
 * Tells Daybell's own database from a stranger's, and from that of a newer version whose
 * migrations this one does not survive.
 *
 * @param known the names of this version's migrations, in order
 */
export async function identifyDatabase(
  query: Query,
  known: readonly string[],
): Promise<DatabaseIdentity> {
  const [found] = await query<Found>(FIND);
  const schemas = found?.schemas ?? null;
  const ran = found?.hasMigrations ? await findMigrations(query) : [];
  if (ran === null) {
    return refused("it is not Daybell's: its table daybell_migrations is something else");
  }
  if (ran.length === 0) {
    if (schemas === null) return { kind: 'free' };
    return refused(
      `it is not Daybell's: it has something of its own in ${schemas}. Give Daybell a database of its own`,
    );
  }
  const fatal = ran.findLast(
    ({ name, survivedFrom }) =>
      !known.includes(name) && (survivedFrom === null || !known.includes(survivedFrom)),
  );
  if (fatal !== undefined) {
    const { name, survivedFrom } = fatal;
    const needed = survivedFrom === null ? '' : `, which needs one that knows ${survivedFrom}`;
    return refused(
      `a newer version of Daybell has brought it up to ${name}${needed}, and this one knows up to ${known.at(-1)}. Start that version, or restore a backup from before`,
    );
  }
  const [{ missing = null } = {}] = await query<{ missing: string | null }>(FIND_MISSING);
  if (missing !== null) {
    return refused(
      `it has run Daybell's migrations, but has no ${missing}. Restore it from a backup`,
    );
  }
  const names = new Set(ran.map(({ name }) => name));
  return { kind: 'ours', isUpToDate: known.every((name) => names.has(name)) };
}

function refused(why: string): DatabaseIdentity {
  return { kind: 'refused', why };
}

interface RanMigration {
  readonly name: string;
  /** An earlier migration, with whose code this one's schema can be used. */
  readonly survivedFrom: string | null;
}

/** Null when the table has another form. */
async function findMigrations(query: Query): Promise<RanMigration[] | null> {
  const columns = await query(FIND_COLUMN);
  return columns.length === 0 ? null : query<RanMigration>(FIND_NOTED);
}

interface Found {
  readonly hasMigrations: boolean;
  /** Null when there are none. */
  readonly schemas: string | null;
}

const FIND = `
  select to_regclass('daybell_migrations') is not null as "hasMigrations",
    (select string_agg('the schema ' || nspname, ' and ' order by nspname desc)
     from pg_namespace where nspname in ('users', 'events')) as schemas`;

const FIND_COLUMN = `
  select attname from pg_attribute
  where attrelid = to_regclass('daybell_migrations') and attname = 'name' and not attisdropped`;

const FIND_MISSING = `
  select string_agg(name, ', ') as missing
  from unnest(array['users.users', 'users.history', 'users.outbox', 'events.occurrences',
    'events.attempts', 'events.destinations']) as name
  where to_regclass(name) is null`;
