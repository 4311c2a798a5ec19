/**
 * Fragments of SQL. Batches go to the database as one JSON parameter, instants as epoch ms.
 * A comment inside a statement must not hold a question mark.
 */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { retryConflicts } from '../platform/database/conflicts.ts';
import type { Orm } from '../platform/database/orm.ts';

/** SQL for an instant given as epoch ms. */
export const instant = (ms: string): string => `to_timestamp((${ms})::float8 / 1000)`;

/** SQL for an instant as epoch ms. */
export const epochMs = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

/** The same, under a name. */
export const ms = (column: string, name: string): string => `${epochMs(column)} as "${name}"`;

/** SQL for a duration given in ms. */
export const interval = (ms: string): string => `((${ms})::float8 * interval '1 millisecond')`;

/**
 * SQL for whether an instant of a row is before one that the statement computes. For a range with
 * two ends, PostgreSQL guesses that few rows are in it. With one end it guesses a third of the
 * table, and reads all of it.
 */
export const isBefore = (column: string, bound: string): string =>
  `${column} > '-infinity' and ${column} < ${bound}`;

export type Em = Pick<SqlEntityManager, 'execute'>;

export type Query = <Row extends object>(
  sql: string,
  parameters?: Readonly<Record<string, unknown>>,
) => Promise<Row[]>;

/**
 * SQL for whether a row of the ledger is the planner's open one, which a redelivery is not. It must
 * match the partial index `occurrences_open` word for word.
 */
export const isOpen = (row: string): string =>
  `${row}.state = 'PENDING' and ${row}.redeliveries = 0`;

/**
 * SQL for the state of a row as it is shown. Only the lease makes a row PROCESSING: a claim changes
 * no column that an index has, so PostgreSQL need not write the row's entry in each of them again.
 */
export const shownState = (row: string): string =>
  `case when ${row}.lease_until is null then ${row}.state else 'PROCESSING' end`;

/** SQL for whether a row is under no lease in force, by a clock. */
export const isFree = (row: string, clock: string): string =>
  `coalesce(${row}.lease_until <= ${clock}, true)`;

/** SQL for when a row may be claimed: at the end of its lease, if it has one. */
export const claimableAt = (row: string): string =>
  `coalesce(${row}.lease_until, ${row}.next_attempt_at)`;

/** SQL for the current destination of a ledger row's occasion type. */
export const destinationNow = (row: string): string => `coalesce((
    select s.destination from events.occasion_types as s
    where s.type = ${row}.occasion_type), 'default')`;

/** Runs statements one by one, each in a transaction of its own. */
export function queryOf(orm: Orm): Query {
  return (sql, parameters = {}) => queryIn(orm.em.fork())(sql, parameters);
}

/** The same for changes by a request: a statement that lost a conflict with another runs again. */
export function requestQueryOf(orm: Orm): Query {
  const query = queryOf(orm);
  return (sql, parameters) => retryConflicts(() => query(sql, parameters));
}

/** Runs statements in the transaction of an entity manager. */
export function queryIn(em: Em): Query {
  return (sql, parameters = {}) => em.execute(sql, parameters);
}

/** Reads in one snapshot, which later changes do not affect. */
export function readSnapshot<Result>(
  orm: Orm,
  read: (em: SqlEntityManager) => Promise<Result>,
): Promise<Result> {
  return orm.em.fork().transactional(read, { isolationLevel: 'repeatable read', readOnly: true });
}

/** The first row of a statement that always returns one. */
export function firstRow<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('The statement has no row.');
  return row;
}

/**
 * A whole number as SQL text: a value that affects the query plan, such as a limit, must not be a
 * parameter.
 *
 * @throws RangeError if it is not a whole number from 0
 */
export function literal(count: number): string {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`no whole number: ${count}`);
  return String(count);
}
