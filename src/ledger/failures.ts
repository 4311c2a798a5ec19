/**
 * FAILED occurrences by reason and last answer of the receiver; and the progress of redeliveries.
 */
import type { Orm } from '../platform/database/orm.ts';
import { RedeliveryNotFoundError } from './errors.ts';
import {
  answerOf,
  conditionsOf,
  isLast,
  NO_ANSWER,
  type OccurrenceFilter,
} from './occurrence-filter.ts';
import { firstRow, literal, ms, queryOf } from './sql.ts';

/** Instants are epoch ms. */
export interface FailureGroup {
  readonly reason: string;
  /** The HTTP status, or the error code if there was none; `none` if no attempt is kept. */
  readonly answer: string;
  readonly occurrences: number;
  /** How many of them had been sent again on request before they failed. */
  readonly redelivered: number;
  readonly firstDueAt: number;
  readonly lastDueAt: number;
  readonly lastSettledAt: number;
}

export type FailureFilter = Pick<OccurrenceFilter, 'from' | 'to' | 'occasionType' | 'destination'>;

export interface RedeliveryProgress {
  /** When the first of them was sent again; epoch ms. */
  readonly redeliveredAt: number;
  readonly total: number;
  readonly delivered: number;
  readonly failed: number;
  readonly skipped: number;
  /** Due, or between two attempts. */
  readonly waiting: number;
  readonly sending: number;
}

/** Looking up the last attempt takes about 5 µs for each. */
const MOST = 20_000;
/** More than the number of HTTP statuses in use. */
const MOST_GROUPS = 200;

export type Failures = ReturnType<typeof createFailures>;

export function createFailures(orm: Orm) {
  const query = queryOf(orm);
  return {
    /**
     * Returns the groups, the largest first, with the database's clock at that moment. If there are
     * more than 20,000 occurrences, those that were due last are grouped, and `isComplete` is
     * false.
     */
    async group(filter: FailureFilter) {
      const rows = await query<{ asOf: number; groups: FailureGroup[] }>(groupSql(filter), {
        ...filter,
      });
      const { asOf, groups } = firstRow(rows);
      const occurrences = groups.reduce((sum, group) => sum + group.occurrences, 0);
      return { asOf, groups, occurrences, isComplete: occurrences < MOST };
    },

    /** @throws RedeliveryNotFoundError */
    async progressOf(redeliveryId: string): Promise<RedeliveryProgress> {
      const { redeliveredAt, ...counts } = firstRow(
        await query<Omit<RedeliveryProgress, 'redeliveredAt'> & { redeliveredAt: number | null }>(
          PROGRESS,
          { redeliveryId },
        ),
      );
      if (redeliveredAt === null) throw new RedeliveryNotFoundError();
      return { redeliveredAt, ...counts };
    },
  };
}

/** Reads the rows by the index of FAILED occurrences, backwards. */
function groupSql(filter: FailureFilter): string {
  const conditions = ["o.state = 'FAILED'", 'o.due_at is not null', ...conditionsOf(filter)];
  return `
    with failed as materialized (
      select o.key, o.reason, o.attempts, o.due_at, o.settled_at, o.redeliveries
      from events.occurrences as o
      where ${conditions.join(' and ')}
      order by o.due_at desc, o.key desc limit ${literal(MOST)}
    ), answered as (
      select failed.*, coalesce(${answerOf('a')}, '${NO_ANSWER}') as answer
      from failed left join events.attempts as a on ${isLast('a', 'failed')}
    ), groups as (
      select reason, answer, count(*)::int as occurrences,
        (count(*) filter (where redeliveries > 0))::int as redelivered,
        ${ms('min(due_at)', 'firstDueAt')}, ${ms('max(due_at)', 'lastDueAt')},
        ${ms('max(settled_at)', 'lastSettledAt')}
      from answered group by reason, answer
      order by count(*) desc, reason, answer limit ${literal(MOST_GROUPS)}
    )
    select ${ms('events.clock()', 'asOf')},
      coalesce((select json_agg(groups order by occurrences desc, reason, answer) from groups), '[]') as groups`;
}

const PROGRESS = `
  select ${ms('min(redelivered_at)', 'redeliveredAt')}, count(*)::int as total,
    (count(*) filter (where state = 'COMPLETED'))::int as delivered,
    (count(*) filter (where state = 'FAILED'))::int as failed,
    (count(*) filter (where state = 'SKIPPED'))::int as skipped,
    (count(*) filter (where state = 'PENDING' and lease_until is null))::int as waiting,
    (count(*) filter (where lease_until is not null))::int as sending
  from events.occurrences where redelivery_id = :redeliveryId::uuid`;
