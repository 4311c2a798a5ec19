/**
 * Runs VACUUM and ANALYZE where autovacuum would have run them. A bench that simulates a year in
 * minutes is over before autovacuum's launcher has checked a dozen times and its workers, which
 * sleep between pages, have gone through a table: so it is switched off, and its own conditions are
 * applied after each simulated day. In real time they are met within a minute, and a run takes
 * minutes, not days: rows that stay dead until the evening are those that would have stayed dead.
 */
import type { Orm } from '../../src/platform/database/orm.ts';

export interface Vacuums {
  /** How often, by table. */
  readonly runs: Readonly<Record<string, number>>;
  readonly tookMs: number;
}

export interface Autovacuum {
  /** Runs whatever is due in one database. */
  run(orm: Orm): Promise<void>;
  /** So far. */
  vacuums(): Vacuums;
}

/** Switches the server's own autovacuum off. */
export async function replaceAutovacuum(orm: Orm): Promise<Autovacuum> {
  const em = orm.em.fork();
  await em.execute('alter system set autovacuum = off');
  await em.execute('select pg_reload_conf()');
  const runs: Record<string, number> = {};
  let tookMs = 0;
  return {
    async run(orm) {
      const em = orm.em.fork();
      const due = await em.execute<Due[]>(DUE);
      const startedAt = performance.now();
      for (const { table, vacuums } of due) {
        // As an autovacuum worker does it: without parallel workers.
        await em.execute(vacuums ? `vacuum (analyze, parallel 0) ${table}` : `analyze ${table}`);
        if (vacuums) runs[table] = (runs[table] ?? 0) + 1;
      }
      tookMs += performance.now() - startedAt;
    },
    vacuums: () => ({ runs: { ...runs }, tookMs: Math.round(tookMs) }),
  };
}

/**
 * Resets tables to the server's settings, but for the fill factor; or the settings for
 * events.occurrences.
 */
export async function setStorage(orm: Orm, storage: string): Promise<void> {
  if (storage === 'shipped') return;
  const em = orm.em.fork();
  const given = await em.execute<{ table: string; names: string }[]>(`
    select c.oid::regclass::text as table, string_agg(option_name, ', ') as names
    from pg_class as c, pg_options_to_table(c.reloptions)
    where c.relnamespace in ('users'::regnamespace, 'events'::regnamespace) and c.relkind = 'r'
      and option_name <> 'fillfactor'
    group by c.oid`);
  for (const { table, names } of given) await em.execute(`alter table ${table} reset (${names})`);
  if (storage !== 'default') await em.execute(`alter table events.occurrences set (${storage})`);
}

interface Due {
  readonly table: string;
  readonly vacuums: boolean;
}

const setting = (name: string): string => `
  coalesce((select option_value::float8 from pg_options_to_table(c.reloptions)
    where option_name = '${name}'), current_setting('${name}')::float8)`;

/** The conditions of PostgreSQL's manual, "The Autovacuum Daemon", of the versions up to 17. */
const DUE = `
  select c.oid::regclass::text as table, vacuums
  from pg_class as c
  join pg_stat_all_tables as s on s.relid = c.oid,
  lateral (select greatest(c.reltuples, 0) as rows) as counted,
  lateral (select
    s.n_dead_tup > ${setting('autovacuum_vacuum_threshold')}
        + ${setting('autovacuum_vacuum_scale_factor')} * rows
      or s.n_ins_since_vacuum > ${setting('autovacuum_vacuum_insert_threshold')}
        + ${setting('autovacuum_vacuum_insert_scale_factor')} * rows as vacuums,
    s.n_mod_since_analyze > ${setting('autovacuum_analyze_threshold')}
        + ${setting('autovacuum_analyze_scale_factor')} * rows as analyzes) as due
  where c.relnamespace in ('users'::regnamespace, 'events'::regnamespace) and c.relkind = 'r'
    and (vacuums or analyzes)`;
