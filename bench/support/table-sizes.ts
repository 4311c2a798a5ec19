/** The size of tables and their indexes on disk, and how much of it is dead. */
import { table } from '../report/table.ts';
import type { Orm } from '../../src/platform/database/orm.ts';

export interface TableSize {
  readonly table: string;
  /** As last counted by VACUUM or ANALYZE. */
  readonly rows: number;
  readonly deadRows: number;
  /** Including TOAST and the free space map. */
  readonly tableBytes: number;
  readonly indexBytes: number;
  /** By name. */
  readonly indexes: Readonly<Record<string, number>>;
}

/** Tables of both contexts, the largest first; empty ones are left out. */
export function tableSizes(orm: Orm): Promise<TableSize[]> {
  return orm.em.fork().execute<TableSize[]>(`
    select c.oid::regclass::text as table, greatest(c.reltuples, 0)::float8 as rows,
      pg_stat_get_dead_tuples(c.oid)::float8 as "deadRows",
      pg_table_size(c.oid)::float8 as "tableBytes",
      pg_indexes_size(c.oid)::float8 as "indexBytes",
      (select json_object_agg(i.indexrelid::regclass::text, pg_relation_size(i.indexrelid))
       from pg_index as i where i.indrelid = c.oid) as indexes
    from pg_class as c
    where c.relnamespace in ('users'::regnamespace, 'events'::regnamespace) and c.relkind = 'r'
      and c.relpages > 0
    order by pg_total_relation_size(c.oid) desc`);
}

export function bytesOf(sizes: readonly TableSize[]): number {
  return sizes.reduce((sum, { tableBytes, indexBytes }) => sum + tableBytes + indexBytes, 0);
}

/** Tables, and under each its indexes; less than a hundredth of the total is left out. */
export function sizesTable(sizes: readonly TableSize[], users: number): string {
  const least = bytesOf(sizes) / 100;
  const all: readonly [name: string, rows: string, bytes: number][] = [
    ...sizes.flatMap(linesOf),
    ['all', '', bytesOf(sizes)],
  ];
  const lines = all
    .filter(([, , bytes]) => bytes >= least)
    .map(([name, rows, bytes]) => [
      name,
      rows,
      (bytes / 1e6).toFixed(1),
      String(Math.round(bytes / users)),
    ]);
  return table(['table, index', 'rows', 'MB', 'bytes a user'], lines);
}

function linesOf({ table: name, rows, tableBytes, indexes }: TableSize) {
  const lines: [name: string, rows: string, bytes: number][] = [[name, String(rows), tableBytes]];
  for (const [index, bytes] of Object.entries(indexes).toSorted(([, a], [, b]) => b - a)) {
    lines.push([`  ${index}`, '', bytes]);
  }
  return lines;
}
