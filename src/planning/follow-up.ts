import { randomUUID } from 'node:crypto';

import { workflowId } from '../ledger/occurrence-key.ts';
import { TO_PLAN } from '../ledger/plan-rows.ts';
import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import type { Orm } from '../platform/database/orm.ts';
import { createLoop, type Loop } from '../platform/loop.ts';
import { LEFT_TO_DISPATCHERS_MS } from './pace/dispatchers-first.ts';
import { PLAN_PAGE, type Planner } from './planner.ts';
import type { PlanOutcome } from './write-plans.ts';

export interface FollowUpDeps {
  readonly orm: Orm;
  readonly planner: Planner;
  /** Whether to wait now, while dispatchers send a herd. */
  readonly isLeftToDispatchers: () => Promise<boolean>;
  readonly logger: Logger;
}

/** The next occurrence of a settled one is planned within this time. */
const POLL_MS = 250;
const AFTER_ERROR_MS = 2_000;

const BEGINNING: OccasionRef = { type: '', id: '00000000-0000-0000-0000-000000000000' };

/**
 * Plans what follows settled occurrences, and plans again what was released because its inputs had
 * changed, until it is stopped. It reads only the ledger: no message can be lost. While dispatchers
 * send a herd it waits, at most for five minutes.
 */
export function createFollowUp(deps: FollowUpDeps): Loop {
  const { orm, planner, isLeftToDispatchers, logger } = deps;
  const query = queryOf(orm);
  const delays = createDelays();
  // Several schedulers start in different places, so that each finds what others leave.
  let after: OccasionRef = { type: 'birthday', id: randomUUID() };

  async function round(failures: number): Promise<number> {
    const pauseMs = (await isLeftToDispatchers()) ? LEFT_TO_DISPATCHERS_MS : await planPage();
    if (failures > 0) logger.info('planning next occurrences again');
    return pauseMs;
  }

  async function planPage(): Promise<number> {
    // From the index `occurrences_to_plan`, which has only such rows. An occasion may come twice.
    const page = await query<OccasionRef>(
      `select occasion_type as type, occasion_id as id
       from events.occurrences
       where ${TO_PLAN} and (occasion_type, occasion_id) > (:type, :id::uuid)
       order by occasion_type, occasion_id
       limit :limit::int`,
      { ...after, limit: PLAN_PAGE },
    );
    const began = after;
    after = page[PLAN_PAGE - 1] ?? BEGINNING;
    const isLast = after === BEGINNING;

    const outcomes = await planner.plan(page.filter(delays.isDue));
    for (const outcome of outcomes) {
      if (outcome.kind === 'failed') {
        const { type, id, error } = outcome;
        const about = { type, id, error: describeError(error) };
        logger.warn(about, 'an occasion could not be planned and will be tried again');
      }
      delays.note(outcome);
    }
    return isLast && (outcomes.length === 0 || began === BEGINNING) ? POLL_MS : 0;
  }

  return createLoop(round, (error, failures) => {
    if (failures === 1) {
      logger.warn({ error: describeError(error) }, 'waiting to plan next occurrences');
    }
    return AFTER_ERROR_MS * (0.75 + Math.random() / 2);
  });
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** A lease in force ends soon, whatever the clocks say. */
const LEASED_DELAY_MS = 5_000;

/**
 * Remembers, in this process, which occasions could not be planned: failed ones are tried again
 * after a delay that doubles up to 5 minutes, those being sent after a few seconds.
 */
function createDelays() {
  const delays = new Map<string, { readonly until: number; readonly nextMs: number }>();
  return {
    isDue: (ref: OccasionRef): boolean =>
      (delays.get(workflowId(ref))?.until ?? -Infinity) <= performance.now(),

    note(outcome: PlanOutcome): void {
      const name = workflowId(outcome);
      const now = performance.now();
      if (outcome.kind === 'failed') {
        const nextMs = delays.get(name)?.nextMs ?? FIRST_DELAY_MS;
        delays.set(name, { until: now + nextMs, nextMs: Math.min(2 * nextMs, LONGEST_DELAY_MS) });
      } else if (outcome.kind === 'deferred') {
        delays.set(name, { until: now + LEASED_DELAY_MS, nextMs: FIRST_DELAY_MS });
      } else {
        delays.delete(name);
      }
    },
  };
}
