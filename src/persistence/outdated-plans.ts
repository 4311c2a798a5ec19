import type { OutdatedPlan, OutdatedPlans, PlanBasis } from '../events/outdated-plans.ts';
import type { Orm } from './orm.ts';

/** Outdated plans on PostgreSQL, a statement each. */
export function createOutdatedPlans(orm: Orm): OutdatedPlans {
  return {
    findPage(basis, { fireAt, key }, limit) {
      const place = fireAt === null ? [key] : [fireAt, key];
      const page = fireAt === null ? WITHOUT_INSTANT : WITH_INSTANT;
      return orm.em.fork().execute<OutdatedPlan[]>(page, [...place, ...valuesOf(basis), limit]);
    },

    async restamp(basis, plans) {
      if (plans.length === 0) return 0;
      const given = JSON.stringify(plans);
      const parameters = [given, ...valuesOf(basis)];
      const { affectedRows } = await orm.em
        .fork()
        .execute<{ affectedRows: number }>(RESTAMP, parameters, 'run');
      return affectedRows;
    },
  };
}

function valuesOf({ tzVersion, localTime, leapDayPolicy }: PlanBasis): string[] {
  return [tzVersion, localTime, leapDayPolicy];
}

const COLUMNS = `key, event_type as "eventType", user_id as "userId", year, state,
  anchor_date::text as "anchorDate", timezone, local_date::text as "localDate",
  (extract(epoch from fire_at) * 1000)::float8 as "fireAt"`;

const OTHER_BASIS = '(tz_version, local_time, leap_day_policy) <> (?, ?, ?)';

/** Parameters: key, basis, limit. */
const WITHOUT_INSTANT = `
  select ${COLUMNS} from events.occurrences
  where fire_at is null and key > ? and state = 'PENDING' and ${OTHER_BASIS}
  order by key
  limit ?`;

/**
 * Parameters: fire instant, key, basis, limit. An armed row is of use only while nothing was
 * sent, and never one that is redelivered.
 */
const WITH_INSTANT = `
  select ${COLUMNS} from events.occurrences
  where (fire_at, key) > (to_timestamp(?::float8 / 1000), ?)
    and (state = 'PENDING' or (state = 'PROCESSING' and attempts = 0 and redelivery_id is null))
    and ${OTHER_BASIS}
  order by fire_at, key
  limit ?`;

/**
 * Parameters: plans, basis. What a plan was found to come to is true of these facts and this
 * instant, whoever has planned it meanwhile. A row that is locked is being planned or armed.
 */
const RESTAMP = `
  with same as (
    select o.key
    from jsonb_to_recordset(?::jsonb)
      as given (key text, timezone text, "anchorDate" date, "fireAt" float8)
    join events.occurrences as o on o.key = given.key
    where o.state = 'PENDING' and o.timezone = given.timezone
      and o.anchor_date = given."anchorDate"
      and o.fire_at is not distinct from to_timestamp(given."fireAt" / 1000)
    for no key update of o skip locked
  )
  update events.occurrences as o
  set tz_version = ?, local_time = ?, leap_day_policy = ?
  from same where o.key = same.key`;
