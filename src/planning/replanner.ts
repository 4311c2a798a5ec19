import type { OccurrencePlace } from '../ledger/occurrence-filter.ts';
import { redirectPage, type RedirectedPage } from '../ledger/redirect.ts';
import { firstRow, instant, isOpen, ms, queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { Orm } from '../platform/database/orm.ts';
import { createLoop, type Loop } from '../platform/loop.ts';
import { inputsOf } from './occasion-inputs.ts';
import { LEFT_TO_DISPATCHERS_MS } from './pace/dispatchers-first.ts';
import { PLAN_PAGE, type Planner } from './planner.ts';
import { presentRules, readRules, type RecordedRules } from './rules.ts';

export interface ReplannerDeps {
  readonly orm: Orm;
  readonly planner: Planner;
  /** The version of the tz database that this process uses. */
  readonly tzVersion: string;
  /** Whether to wait now, while dispatchers send a herd. */
  readonly isLeftToDispatchers: () => Promise<boolean>;
  readonly logger: Logger;
}

/** A process of an older version may still plan with its own tz database. */
const AGAIN_AFTER_MS = 10 * 60_000;
/** New settings of an occasion type take effect within this time, plus that of the work. */
const CHECK_EVERY_MS = 2_000;
const SOON_MS = 10_000;

/**
 * Plans again what was planned under other rules than the current ones of the installation and the
 * occasion type, or with another tz database than `migrate` recorded last: the soonest first, until
 * none is left. While dispatchers send a herd it waits, but at most for five minutes: those of a
 * hanging destination are busy for hours. A process with another tz database replans nothing: it
 * would undo the work of others.
 * do.
 */
export function createReplanner(deps: ReplannerDeps): Loop {
  const { orm, planner, tzVersion, isLeftToDispatchers, logger } = deps;
  const query = queryOf(orm);
  let walked = { rules: '', at: -Infinity };

  async function round(): Promise<number> {
    const { inForce } = firstRow(await query<{ inForce: string }>(RULES_IN_FORCE));
    const isRecent = performance.now() - walked.at < AGAIN_AFTER_MS;
    if (isRecent && inForce === walked.rules) return CHECK_EVERY_MS;
    if (await isLeftToDispatchers()) return LEFT_TO_DISPATCHERS_MS;
    const rules = presentRules(await readRules(orm.em.fork()));
    if (rules.tzVersion !== tzVersion) {
      const about = { recorded: rules.tzVersion, tzVersion };
      logger.warn(about, 'this process has another tz database than "migrate" recorded');
      walked = { rules: inForce, at: performance.now() };
      return CHECK_EVERY_MS;
    }
    const startedAt = performance.now();
    const summary = await replanOutdated({
      orm,
      planner,
      rules,
      isStopping: () => loop.isStopping,
    });
    if (summary.outdated === 0) {
      walked = { rules: inForce, at: startedAt };
      return CHECK_EVERY_MS;
    }
    const about = { ...rules, ...summary, durationMs: Math.round(performance.now() - startedAt) };
    logger.info(about, 'plans made under other rules are made again');
    return SOON_MS;
  }

  const loop = createLoop(round, (error) => {
    logger.warn(
      { error: describeError(error) },
      'outdated plans could not be replaced; trying again',
    );
    return SOON_MS;
  });
  return loop;
}

interface ReplanDeps extends Pick<ReplannerDeps, 'orm' | 'planner'> {
  readonly rules: RecordedRules;
  readonly isStopping?: () => boolean;
}

interface PageRow extends OccasionRef, OccurrencePlace {
  readonly isOutdated: boolean;
  /** The last row of a full page: others may follow. */
  readonly isEnd: boolean;
}

/**
 * Goes once through all open rows: plans without an instant, past due ones, and future plans, the
 * soonest first. A past one fell due under the rules of its time, and is only moved to its type's
 * current destination. Then through the occasions that ended lately, whose last day may be in the
 * future under the current rules. Returns how many were outdated, and how many of these could not
 * be changed now.
 */
export async function replanOutdated({
  orm,
  planner,
  rules,
  isStopping = () => false,
}: ReplanDeps): Promise<{ outdated: number; left: number }> {
  const query = queryOf(orm);
  const { now } = firstRow(await query<{ now: number }>(`select ${ms('events.clock()', 'now')}`));
  const summary = { outdated: 0, left: 0 };
  const planAgain = async (sql: string, start: OccurrencePlace): Promise<void> => {
    let place: OccurrencePlace | undefined = start;
    while (place !== undefined && !isStopping()) {
      const { dueAt, key }: OccurrencePlace = place;
      const page: PageRow[] = await query(sql, {
        tzVersion: rules.tzVersion,
        dueAt,
        key,
        limit: PLAN_PAGE,
      });
      const outdated = page.filter(({ isOutdated }) => isOutdated);
      const outcomes = await planner.plan(outdated.map(({ type, id }) => ({ type, id })));
      const left = outcomes.filter(({ kind }) => kind === 'failed' || kind === 'deferred');
      summary.outdated += outdated.length;
      summary.left += left.length;
      place = page.find(({ isEnd }) => isEnd);
    }
  };
  const redirect = async (): Promise<void> => {
    let place: OccurrencePlace | null = { dueAt: 0, key: '' };
    while (place !== null && !isStopping()) {
      const page: RedirectedPage = await redirectPage(orm, now, place, PLAN_PAGE);
      summary.outdated += page.redirected + page.left;
      summary.left += page.left;
      place = page.endKey === null ? null : { dueAt: page.endDueAt, key: page.endKey };
    }
  };
  await planAgain(BLOCKED, { dueAt: null, key: '' });
  await redirect();
  await planAgain(TO_COME, { dueAt: now, key: '' });
  await planAgain(ENDED, { dueAt: now - REVIVED_WITHIN_MS, key: FIRST_ID });
  return summary;
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** A text that changes with everything that plans depend on, except the inputs. */
const RULES_IN_FORCE = `
  select concat_ws(' ', (select max(id) from events.rules), (
    select string_agg(concat_ws(':', t.type, t.destination, (
      select max(r.id) from events.occasion_type_rules as r where r.type = t.type)), ' '
      order by t.type)
    from events.occasion_types as t)) as "inForce"`;

/** Planned by other rules than the current ones. */
const HAS_OTHER_RULES = 'p.rules_id <> greatest((select max(id) from events.rules), s.rules_id)';

/**
 * The outdated rows of a page (`key`, `type`, `id` and an instant), and the last row if it is full.
 */
const outdatedIn = (page: string, isOutdated: string): string => `
  with page as materialized (${page}
    limit :limit::int
  ), settings as materialized (
    select type, destination, (
      select max(r.id) from events.occasion_type_rules as r where r.type = t.type) as rules_id
    from events.occasion_types as t
  ), judged as (
    select p.*, ${isOutdated} as is_outdated
    from page as p left join settings as s on s.type = p.type
  )
  select key, type, id, ${ms('at', 'dueAt')}, is_outdated as "isOutdated", is_end as "isEnd"
  from judged where is_outdated or is_end`;

const openIn = (condition: string, order: string): string =>
  outdatedIn(
    `
    select key, occasion_type as type, occasion_id as id, due_at as at, destination, tz_version,
      rules_id, row_number() over (order by ${order}) = :limit::int as is_end
    from events.occurrences
    where ${isOpen('occurrences')} and ${condition}
    order by ${order}`,
    `${HAS_OTHER_RULES} or p.tz_version <> :tzVersion
      or p.destination <> coalesce(s.destination, 'default')`,
  );

const BLOCKED = openIn('blocked_reason is not null and key > :key', 'key');

const TO_COME = openIn(`(due_at, key) > (${instant(':dueAt')}, :key)`, 'due_at, key');

/**
 * The last occurrence was past when an occasion was found to have ended. Other rules delay it by
 * less than two days (a time of day by one, a policy or a zone's new law by another), and it may be
 * sent late.
 */
const REVIVED_WITHIN_MS = 7 * 86_400_000;

/** In the order of their last plan. Deleted occasions stay as they are. */
const ENDED = outdatedIn(
  `
    select id::text as key, type, id, planned_at as at, rules_id,
      row_number() over (order by planned_at, id) = :limit::int as is_end
    from events.occasions
    where ended_at is not null and (planned_at, id) > (${instant(':dueAt')}, :key::uuid)
    order by planned_at, id`,
  `${HAS_OTHER_RULES} and exists (select from ${inputsOf('p.type', 'p.id')} as i)`,
);
