import { setTimeout as sleep } from 'node:timers/promises';

import { v7 as uuidv7 } from 'uuid';

import type { Orm } from '../platform/database/orm.ts';
import { NotRedeliverableError, OccurrenceNotFoundError, stateInWords } from './errors.ts';
import {
  AFTER,
  conditionsOf,
  type OccurrenceFilter,
  type OccurrencePlace,
} from './occurrence-filter.ts';
import { BIRTHDAY, isOccurrenceKey } from './occurrence-key.ts';
import {
  destinationNow,
  instant,
  literal,
  ms,
  firstRow,
  requestQueryOf,
  shownState,
} from './sql.ts';
import type { EndReason, OccurrenceState } from './types.ts';

/** Which occurrences are sent again; null for any. Instants are epoch ms. */
export interface RedeliveryFilter extends Omit<
  OccurrenceFilter,
  'status' | 'late' | 'blocked' | 'due'
> {
  readonly status: 'FAILED' | 'SKIPPED' | null;
  /** Null: any except those that must be named (`ONLY_BY_NAME`). */
  readonly reason: string | null;
  /** Only these keys. */
  readonly keys: readonly string[] | null;
}

export interface RedeliveryTerms {
  /**
   * Only occurrences settled by this instant, epoch ms by the database's clock: not what has
   * changed since the operator looked. Null: settled by now.
   */
  readonly settledBy?: number | null;
  /** Identifies its rows later; a repeated request with the same id adds to it. */
  readonly redeliveryId?: string;
}

/**
 * Occurrences that ended for these reasons were deliberately not sent: a filter includes them only
 * if it names the reason.
 */
export const ONLY_BY_NAME: readonly EndReason[] = [
  'superseded',
  'suspended',
  'date_changed',
  'user_deleted',
  'occasion_deleted',
];

export type Redelivery = ReturnType<typeof createRedelivery>;

/** A statement on this many rows takes a fraction of a second. */
const PAGE = 1_000;
/** Others, such as a planner or a sender, hold a lock for milliseconds. */
const LOCKED_TRIES = 20;
const LOCKED_PAUSE_MS = 100;

/**
 * Sends FAILED and SKIPPED occurrences again, COMPLETED ones by force. They become due again behind
 * punctual ones, with a new give-up clock.
 */
export function createRedelivery(orm: Orm) {
  const query = requestQueryOf(orm);

  /** Counts the matches now; also returns the database's clock at that moment, epoch ms. */
  async function count(filter: RedeliveryFilter, settledBy: number | null = null) {
    type Count = { readonly matching: number; readonly asOf: number };
    const states = statesOf(filter).map((state) => `'${state}'`);
    const rows = await query<Count>(
      `select count(*)::int as matching, ${ms('events.clock()', 'asOf')}
       from events.occurrences as o
       where o.state in (${states.join(', ')}) and ${matching(filter)}`,
      { ...parametersOf(filter), settledBy },
    );
    return firstRow(rows);
  }

  /**
   * Sends a page of the matches again that were settled by an instant (epoch ms by the database's
   * clock, so that repeated failures are left out), in the order of due instant and key; the last
   * page is not full. Does not wait for locked rows: a planner may hold one and wait for another.
   */
  function redeliverPage(
    filter: RedeliveryFilter,
    settledBy: number,
    after: OccurrencePlace | null,
    limit: number,
    redeliveryId = uuidv7(),
  ) {
    const place = { afterDueAt: after?.dueAt, afterKey: after?.key };
    const sql = pageSql(filter, after === null ? 'true' : AFTER, limit);
    return query<OccurrencePlace>(sql, {
      ...parametersOf(filter),
      settledBy,
      redeliveryId,
      ...place,
    });
  }

  return {
    /**
     * Sends one occurrence again.
     *
     * @throws OccurrenceNotFoundError also for text that cannot be a key
     * @throws NotRedeliverableError
     */
    async redeliver(
      key: string,
      {
        force,
        settledBy = null,
        redeliveryId = uuidv7(),
      }: RedeliveryTerms & { readonly force: boolean },
    ): Promise<void> {
      const [row] = isOccurrenceKey(key)
        ? await query<Candidate>(REDELIVER_ONE, { key, force, settledBy, redeliveryId })
        : [];
      if (row === undefined) throw new OccurrenceNotFoundError();
      if (!row.isDone) throw whyNotRedelivered(row, force);
    },

    count,
    redeliverPage,

    /**
     * Sends all matches again, page by page. Those whose rows stay locked for seconds are left out;
     * a repeated request includes them.
     *
     * @returns how many will be sent
     */
    async redeliverAll(filter: RedeliveryFilter, terms: RedeliveryTerms = {}): Promise<number> {
      const { redeliveryId = uuidv7() } = terms;
      const settledBy = terms.settledBy ?? (await count(filter)).asOf;
      let redelivered = 0;
      for (let tries = 1; ; tries += 1) {
        let after: OccurrencePlace | null = null;
        do {
          const page: OccurrencePlace[] = await redeliverPage(
            filter,
            settledBy,
            after,
            PAGE,
            redeliveryId,
          );
          redelivered += page.length;
          // Null unless the page is full.
          after = page[PAGE - 1] ?? null;
        } while (after !== null);
        const { matching: locked } = await count(filter, settledBy);
        if (locked === 0 || tries === LOCKED_TRIES) return redelivered;
        await sleep(LOCKED_PAUSE_MS);
      }
    },
  };
}

interface Candidate {
  /** The state before the redelivery. */
  readonly state: OccurrenceState;
  readonly reason: string | null;
  readonly attempts: number;
  readonly hasChanged: boolean;
  readonly isRedelivered: boolean;
  readonly userExists: boolean;
  readonly occasionExists: boolean;
  readonly isDone: boolean;
}

const refuse = (code: NotRedeliverableError['code'], message: string) =>
  new NotRedeliverableError(code, message);

function whyNotRedelivered(row: Candidate, force: boolean): NotRedeliverableError {
  const { state, isRedelivered, userExists, occasionExists } = row;
  if (state === 'PENDING' || state === 'PROCESSING') {
    return isRedelivered
      ? refuse('redelivery-running', 'It is being sent again already.')
      : refuse('occurrence-live', `It is ${state}: it is going to be delivered anyway.`);
  }
  if (state === 'COMPLETED' && !force) {
    const message = 'It was delivered. To send it again anyway, set "force": true.';
    return refuse('occurrence-delivered', message);
  }
  if (row.hasChanged) {
    const message = `It was sent again meanwhile, and ended again. ${stateInWords(row)}`;
    return refuse('occurrence-changed', message);
  }
  if (!userExists) return refuse('user-deleted', 'Its user was deleted.');
  if (!occasionExists) return refuse('occasion-deleted', 'Its occasion was deleted.');
  return refuse('occurrence-unplanned', 'It could never be planned: it has no instant.');
}

const USER_EXISTS = 'exists (select from users.users where id = o.user_id)';
/** Whether the occasion exists, for a user that exists: a birthday does as long as its user. */
const OCCASION_EXISTS = `(o.occasion_type = '${BIRTHDAY}'
  or exists (select from users.occasions where id = o.occasion_id))`;

/**
 * FAILED, SKIPPED, COMPLETED → PENDING. Never before its instant, and at the type's current
 * destination.
 */
const REDELIVERED = `
  state = 'PENDING', priority = 1, next_attempt_at = greatest(o.due_at, events.clock()),
  redeliveries = o.redeliveries + 1, redelivered_at = events.clock(),
  redelivery_id = :redeliveryId::uuid,
  forced_at = case when o.state = 'COMPLETED' then events.clock() else o.forced_at end,
  earlier_attempts = o.attempts, first_attempt_at = null, retry_not_before = null,
  reason = null, settled_at = null, followed = false,
  destination = ${destinationNow('o')}`;

const SETTLED_IN_TIME = `(:settledBy::float8 is null or o.settled_at <= ${instant(':settledBy')})`;

const REDELIVER_ONE = `
  with found as materialized (
    select key, ${shownState('o')} as state, reason, attempts, due_at, redeliveries > 0 as redelivered,
      ${USER_EXISTS} as user_exists, ${OCCASION_EXISTS} as occasion_exists,
      coalesce(not ${SETTLED_IN_TIME}, false) as changed
    from events.occurrences as o where key = :key
    for no key update of o
  ), done as (
    update events.occurrences as o set ${REDELIVERED}
    from found
    where o.key = found.key and found.due_at is not null
      and found.user_exists and found.occasion_exists and not found.changed
      and (found.state in ('FAILED', 'SKIPPED') or found.state = 'COMPLETED' and :force::boolean)
    returning o.key
  )
  select state, reason, attempts, changed as "hasChanged", redelivered as "isRedelivered", user_exists as "userExists",
    occasion_exists as "occasionExists",
    exists (select from done) as "isDone"
  from found`;

const statesOf = ({ status }: RedeliveryFilter): readonly OccurrenceState[] =>
  status === null ? ['FAILED', 'SKIPPED'] : [status];

/**
 * A filter without its state, on `events.occurrences as o`. Parameters: `parametersOf`,
 * `settledBy`.
 */
function matching({ reason, keys, ...others }: RedeliveryFilter): string {
  const unnamed = ONLY_BY_NAME.map((one) => `'${one}'`).join(', ');
  return [
    ...conditionsOf({ ...others, reason, status: null }),
    ...(reason === null ? [`o.reason not in (${unnamed})`] : []),
    ...(keys === null ? [] : [KEYS]),
    SETTLED_IN_TIME,
    'o.due_at is not null',
    USER_EXISTS,
    OCCASION_EXISTS,
  ].join(' and ');
}

const KEYS = 'o.key = any (array(select jsonb_array_elements_text(:keys::jsonb)))';

/** The parameters of a filter that its statement uses. */
function parametersOf({ keys, ...filter }: RedeliveryFilter) {
  return keys === null ? filter : { ...filter, keys: JSON.stringify(keys) };
}

/** Each state has an index in the order of pages; two states together have none. */
function pageSql(filter: RedeliveryFilter, place: string, limit: number): string {
  const states = statesOf(filter);
  const scans = states.map(
    (state) => `${state} as materialized (
      select key, due_at from events.occurrences as o
      where o.state = '${state}' and ${matching(filter)} and ${place}
      order by due_at, key limit ${literal(limit)}
      for no key update of o skip locked
    )`,
  );
  return `
    with ${scans.join(', ')}, page as materialized (
      select * from (${states.map((state) => `table ${state}`).join(' union all ')}) as free
      order by due_at, key limit ${literal(limit)}
    ), done as (
      update events.occurrences as o set ${REDELIVERED}
      where key = any (array(select key from page))
    )
    select key, ${ms('due_at', 'dueAt')} from page order by due_at, key`;
}
