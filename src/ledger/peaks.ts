/**
 * The minutes in which many occurrences fall due, and how late those of the last one were
 * delivered.
 */
import type { Orm } from '../platform/database/orm.ts';
import { WAS_DUE } from './ledger-state.ts';
import { firstRow, instant, ms, queryOf } from './sql.ts';

export interface Peak {
  /** The beginning of the minute, epoch ms. */
  readonly at: number;
  readonly occurrences: number;
}

export interface PastPeak extends Peak {
  readonly delivered: number;
  /** Neither delivered nor given up so far. */
  readonly open: number;
  /** Of deliveries without redeliveries; null if there were none. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /**
   * In order, ten groups for each power of ten, and one that ends at each percentile: the largest
   * lateness of each, and how many it has.
   */
  readonly lateness: readonly { readonly upToMs: number; readonly count: number }[];
}

/**
 * A peak is a minute in which at least half as many are due as in the fullest one of the 24 hours
 * before or after now. Each statement reads the rows of that time by index.
 */
export function createPeaks(orm: Orm) {
  const query = queryOf(orm);
  return {
    /** The latest peak of the last 24 hours; null when nothing was due. */
    async last(): Promise<PastPeak | null> {
      const [peak] = await query<Peak>(LAST);
      if (peak === undefined) return null;
      const { at } = peak;
      const outcome = firstRow(
        await query<Omit<PastPeak, keyof Peak | 'lateness'>>(OUTCOME, { at }),
      );
      const { p50Ms, p95Ms, p99Ms } = outcome;
      const lateness = await query<PastPeak['lateness'][number]>(LATENESS, {
        at,
        p50Ms,
        p95Ms,
        p99Ms,
      });
      return { ...peak, ...outcome, lateness };
    },

    /** The first peak of the next 24 hours, among planned occurrences; null if there are none. */
    async next(): Promise<Peak | null> {
      const [peak] = await query<Peak>(NEXT);
      return peak ?? null;
    },
  };
}

const peakOf = (condition: string, order: 'asc' | 'desc'): string => `
  with clock as materialized (select events.clock() as now),
  minutes as (
    select date_trunc('minute', due_at) as at, count(*)::int as occurrences
    from events.occurrences where ${condition} group by 1
  )
  select ${ms('at', 'at')}, occurrences from minutes
  where occurrences * 2 >= (select max(occurrences) from minutes)
  order by minutes.at ${order} limit 1`;

const NOW = '(select now from clock)';

const LAST = peakOf(
  `due_at > ${NOW} - interval '24 hours' and due_at <= ${NOW} and ${WAS_DUE}`,
  'desc',
);
// A case does not tempt PostgreSQL to choose the index of all open rows.
const NEXT = peakOf(
  `state = 'PENDING' and case redeliveries when 0 then true else false end
    and due_at > ${NOW} and due_at < ${NOW} + interval '24 hours'`,
  'asc',
);

const IN_MINUTE = `due_at >= ${instant(':at')}
  and due_at < ${instant(':at')} + interval '1 minute' and ${WAS_DUE}`;

const percentile = (share: number): string =>
  `(percentile_disc(${share}) within group (order by lateness_ms)
      filter (where redeliveries = 0))::float8`;

const OUTCOME = `
  select count(delivered_at)::int as delivered,
    (count(*) filter (where state = 'PENDING' and delivered_at is null))::int
      as open,
    ${percentile(0.5)} as "p50Ms", ${percentile(0.95)} as "p95Ms", ${percentile(0.99)} as "p99Ms"
  from events.occurrences where ${IN_MINUTE}`;

const LATENESS = `
  select max(lateness_ms)::float8 as "upToMs", count(*)::int as count
  from events.occurrences
  where ${IN_MINUTE} and redeliveries = 0 and lateness_ms is not null
  group by ceil(10 * log(greatest(lateness_ms, 1))), lateness_ms <= :p50Ms::float8,
    lateness_ms <= :p95Ms::float8, lateness_ms <= :p99Ms::float8
  order by 1`;
