import type { Orm } from './orm.ts';

/**
 * What the database server says of its own load: the seconds that its sessions have spent in
 * statements, of all its databases, since its statistics began. A statement counts when it ends.
 */
export function createDatabaseLoad(orm: Orm): { activeSeconds(): Promise<number> } {
  return {
    async activeSeconds() {
      const [load] = await orm.em.fork().execute<{ seconds: number }[]>(ACTIVE_SECONDS);
      return load?.seconds ?? 0;
    },
  };
}

/** Any role may read it. */
const ACTIVE_SECONDS = `
  select (coalesce(sum(active_time), 0) / 1000)::float8 as seconds from pg_stat_database`;
