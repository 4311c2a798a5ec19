/** How PostgreSQL runs a statement. */
import { expect } from 'vitest';

import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import type { TestDatabase } from './postgres.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Subplan Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

export interface ExplainedRows {
  /** The kinds of scans, by table. */
  readonly scans: readonly string[];
  readonly indexes: readonly string[];
  /**
   * The most rows that one of them has looked at. What a bitmap of an index holds is not counted,
   * but the rows it leads to: it has entries of versions that nobody sees, and how many depends on
   * what was rolled back before.
   */
  readonly readRows: number;
  /** The kinds of scans, by index. */
  scansBy(index: string): readonly string[];
  /** How often a subplan, such as `CTE due`, was run. */
  loops(subplan: string): number;
}

/** Runs the statement, and returns its scans, their indexes, and how many rows they read. */
export async function explainRows(
  orm: Orm,
  query: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<ExplainedRows> {
  const [row] = await orm.em
    .fork()
    .execute<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>(
      `explain (analyze, format json) ${query}`,
      parameters,
    );
  if (row === undefined) throw new Error('There is no plan.');
  return describePlan(row['QUERY PLAN'][0].Plan);
}

/**
 * The same under a generic plan, as a statement that is prepared once and run for years has it.
 * Whatever the statement changes is undone.
 */
export async function explainGeneric(
  orm: Orm,
  query: string,
  parameters: Readonly<Record<string, unknown>>,
): Promise<ExplainedRows> {
  const names = Object.keys(parameters);
  const prepared = names.reduce(
    (sql, name, place) => sql.replaceAll(new RegExp(`(?<!:):${name}\\b`, 'g'), `$${place + 1}`),
    query,
  );
  const values = names.map((name) => `:${name}`).join(', ');
  const em = orm.em.fork();
  await em.begin();
  try {
    await em.execute('set local plan_cache_mode = force_generic_plan');
    await em.execute(`prepare generic as ${prepared}`);
    const [row] = await em.execute<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>(
      `explain (analyze, format json) execute generic${names.length > 0 ? `(${values})` : ''}`,
      parameters,
    );
    if (row === undefined) throw new Error('There is no plan.');
    await em.execute('deallocate generic');
    return describePlan(row['QUERY PLAN'][0].Plan);
  } finally {
    await em.rollback();
  }
}

function describePlan(plan: PlanNode): ExplainedRows {
  const nodes: PlanNode[] = [];
  const walk = (node: PlanNode): void => {
    nodes.push(node);
    for (const below of node.Plans ?? []) walk(below);
  };
  walk(plan);
  const scans = nodes.filter(
    (node) =>
      node['Node Type'].includes('Scan') &&
      (node['Relation Name'] ?? node['Index Name']) !== undefined,
  );
  return {
    scans: scans.map((node) => node['Node Type']),
    indexes: scans.flatMap((node) => node['Index Name'] ?? []),
    readRows: Math.max(
      0,
      ...scans
        .filter((node) => node['Node Type'] !== 'Bitmap Index Scan')
        .map((node) => (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)),
    ),
    scansBy: (index) =>
      scans.filter((node) => node['Index Name'] === index).map((node) => node['Node Type']),
    loops: (subplan) =>
      nodes.find((node) => node['Subplan Name'] === subplan)?.['Actual Loops'] ?? 0,
  };
}

/**
 * How many rows of a table were read, on separate connections: PostgreSQL counts when these end.
 */
export async function rowsReadOf(
  table: string,
  { url, orm }: TestDatabase,
  work: (orm: Orm) => Promise<void>,
): Promise<number> {
  const read = async (): Promise<number> => {
    const [counts] = await orm.em.fork().execute<{ read: number }[]>(
      `select (seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes as i
         where i.relid = t.relid))::float8 as read
       from pg_stat_user_tables as t where relid = :table::regclass`,
      { table },
    );
    if (counts === undefined) throw new Error(`There is no table ${table}.`);
    return counts.read;
  };
  await untilCounted(orm);
  const before = await read();
  const own = await connectOrm(url);
  await work(own).finally(() => own.close(true));
  await untilCounted(orm);
  return (await read()) - before;
}

/** No other connection is left, and each has reported its counts; this one reports its own. */
async function untilCounted(orm: Orm): Promise<void> {
  const others = `
    select count(*)::int as others from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  await expect
    .poll(async () => (await orm.em.fork().execute<{ others: number }[]>(others))[0]?.others, {
      timeout: 60_000,
    })
    .toBe(0);
  await orm.em.fork().execute('select pg_stat_force_next_flush()');
}
