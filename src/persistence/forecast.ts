import type { SqlEntityManager } from '@mikro-orm/postgresql';

import type {
  ForecastReader,
  ForecastView,
  PlannedGroup,
  UnplannedGroup,
} from '../events/forecast.ts';
import { BIRTHDAYS, type FactsSources, sourceOf } from './facts-source.ts';
import type { Orm } from './orm.ts';

/**
 * The forecast's view on PostgreSQL, of both schemas: a snapshot, so that who is planned
 * while it is read is counted once.
 */
export function createForecastReader(orm: Orm, sources: FactsSources = BIRTHDAYS): ForecastReader {
  return {
    read: (work) =>
      orm.em.fork().transactional((em) => work(viewOf(em, sources)), {
        isolationLevel: 'repeatable read',
        readOnly: true,
      }),
  };
}

function viewOf(em: SqlEntityManager, sources: FactsSources): ForecastView {
  return {
    findPlanned: ({ from, until }) => em.execute<PlannedGroup[]>(FIND_PLANNED, [from, until]),

    countUnplanned: ({ eventType, year, monthDays }) =>
      em.execute<UnplannedGroup[]>(
        countUnplanned(sourceOf(sources, eventType).facts, monthDays.length),
        [...monthDays, year, eventType, year],
      ),
  };
}

const INSTANT = 'to_timestamp(?::float8 / 1000)';

/**
 * Parameters: from, until. By the index of instants. What is being redelivered is due now, and
 * was settled before.
 */
const FIND_PLANNED = `
  select (extract(epoch from date_trunc('minute', fire_at)) * 1000)::float8 as minute, timezone,
    count(*)::int as count
  from events.occurrences
  where fire_at >= ${INSTANT} and fire_at < ${INSTANT}
    and state in ('PENDING', 'PROCESSING') and redelivery_id is null
  group by 1, 2`;

/** As in the index `users_by_day`. */
const MONTH_DAY =
  '(extract(month from f.anchor_date) * 100 + extract(day from f.anchor_date))::int';

/**
 * Parameters: days, year, event type, year. The day of birth is no birthday. A row without an
 * instant, because its zone is not known, says nothing of when.
 */
const countUnplanned = (facts: string, days: number): string => `
  select ${MONTH_DAY} as "monthDay", f.timezone, count(*)::int as count
  from (${facts}) as f
  where ${MONTH_DAY} in (${Array.from({ length: days }, () => '?').join(', ')})
    and extract(year from f.anchor_date) < ?
    and not exists (
      select from events.occurrences as o
      where o.event_type = ? and o.user_id = f.user_id and o.year = ?
        and (o.fire_at is not null or o.state not in ('PENDING', 'PROCESSING')))
  group by 1, 2`;
