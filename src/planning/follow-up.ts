import { randomUUID } from 'node:crypto';

import { TO_PLAN } from '../ledger/plan-rows.ts';
import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Orm } from '../persistence/orm.ts';
import { createLoop, type Loop } from '../platform/loop.ts';
import { createDelays } from './delays.ts';
import { areDispatchersBusy } from './dispatchers-busy.ts';
import { MOST_IN_BATCH } from './planner.ts';
import type { Planner } from './types.ts';

export interface FollowUpDeps {
  readonly orm: Orm;
  readonly planner: Planner;
  readonly logger: Logger;
  /** How long dispatchers that are busy are left alone, in ms; a minute when not given. */
  readonly mostBusyMs?: number;
}

/** What is settled has its next occurrence within this time. */
const POLL_MS = 250;
const POLL_BUSY_MS = 500;
const AFTER_ERROR_MS = 2_000;
const MOST_BUSY_MS = 60_000;

/**
 * Plans what comes after occurrences that are settled, and again what was released because the
 * inputs had changed, until it is stopped. It reads the ledger only: no message is lost. While
 * dispatchers send a herd it waits, a minute at the most.
 */
export function createFollowUp({
  orm,
  planner,
  logger,
  mostBusyMs = MOST_BUSY_MS,
}: FollowUpDeps): Loop {
  const query = queryOf(orm);
  const delays = createDelays();
  // Several schedulers begin in different places, so that each finds what others leave.
  let after: OccasionRef = { type: 'birthday', id: randomUUID() };
  let busySince: number | null = null;
  let isWaiting = false;

  async function round(): Promise<number> {
    if (await leavesDispatchersAlone()) return POLL_BUSY_MS;
    const page = await query<OccasionRef>(FIND, { ...after, limit: MOST_IN_BATCH });
    const isLast = page.length < MOST_IN_BATCH;
    const began = after;
    after = isLast ? BEGINNING : (page.at(-1) ?? BEGINNING);

    const outcomes = await planner.plan(page.filter(delays.isDue));
    for (const outcome of outcomes) {
      if (outcome.kind === 'failed') {
        const { type, id, error } = outcome;
        logger.warn({ type, id, error: describeError(error) }, 'could not be planned; tried again');
      }
      delays.note(outcome);
    }
    if (isWaiting) logger.info('what is settled is planned after again');
    isWaiting = false;
    return isLast && (outcomes.length === 0 || began === BEGINNING) ? POLL_MS : 0;
  }

  async function leavesDispatchersAlone(): Promise<boolean> {
    if (!(await areDispatchersBusy(orm))) {
      busySince = null;
      return false;
    }
    busySince ??= performance.now();
    return performance.now() - busySince < mostBusyMs;
  }

  return createLoop(round, (error) => {
    if (!isWaiting) {
      logger.warn({ error: describeError(error) }, 'waiting to plan what comes after');
    }
    isWaiting = true;
    return AFTER_ERROR_MS * (0.75 + Math.random() / 2);
  });
}

const BEGINNING: OccasionRef = { type: '', id: '00000000-0000-0000-0000-000000000000' };

/** By the index `occurrences_to_plan`, which has only such rows. An occasion may come twice. */
const FIND = `
  select occasion_type as type, occasion_id as id
  from events.occurrences
  where ${TO_PLAN} and (occasion_type, occasion_id) > (:type, :id::uuid)
  order by occasion_type, occasion_id
  limit :limit::int`;
