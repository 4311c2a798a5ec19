/** Finds what to report to operators: once among all schedulers, and across restarts. */
import type { LateBacklog, LedgerState } from '../ledger/ledger-state.ts';
import { instant, interval, ms, type Query, queryIn } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import { addEvents } from './event-queue.ts';
import {
  backlogClearedEvent,
  backlogStartedEvent,
  failedEvent,
  type FailureGroup,
  MOST_KEYS,
  type OperationsEvent,
  pausedEvent,
  resumedEvent,
  unaccountedEvent,
} from './events.ts';

/** What has been reported. Instants are epoch ms, by the database's clock. */
interface WatchState {
  readonly now: number;
  /** Null before the first check. */
  readonly failuresLookedAt: number | null;
  readonly failuresReportedAt: number | null;
  readonly backlogSince: number | null;
  readonly backlogSeenAt: number | null;
  /** The pause instants of destinations that are paused. */
  readonly paused: Readonly<Record<string, number>>;
  /** How many occurrences of a day are unaccounted for; only days that have any. */
  readonly unaccounted: Readonly<Record<string, number>>;
}

export interface Unaccounted {
  readonly count: number;
  readonly first: readonly string[];
}

const MINUTE_MS = 60_000;
const FAILURES_EVERY_MS = MINUTE_MS;
/** A backlog that disappears for less than this and returns is the same one. */
const BACKLOG_GONE_AFTER_MS = MINUTE_MS;
/** How late an outcome may be written, as by a process that could not reach the database. */
const WRITTEN_WITHIN_MS = 60 * MINUTE_MS;
const WRITTEN_AS_A_RULE_MS = 15_000;
const AUDIT_EVERY_MS = 60 * MINUTE_MS;

export type Watch = ReturnType<typeof createWatch>;

export function createWatch(orm: Orm, ledgerState: Pick<LedgerState, 'lateBacklog'>) {
  const inTransaction = <Result>(work: (query: Query) => Promise<Result>): Promise<Result> =>
    orm.em.fork().transactional((em) => work(queryIn(em)));

  return {
    /**
     * Looks for pauses, failures and a backlog, unless another process is doing so. Events and the
     * new state are written in one transaction. Returns the number of new events.
     */
    async look(): Promise<number> {
      const backlog = await ledgerState.lateBacklog();
      return inTransaction(async (query) => {
        const [state] = await query<WatchState>(`${READ} for update skip locked`);
        if (state === undefined) return 0;
        const pauses = comparePauses(state, await query<Pause>(READ_PAUSES));
        const waiting = compareBacklog(state, backlog);
        const failures = await lookForFailures(query, state);
        const events = [...pauses.events, ...failures.events, ...waiting.events];
        await addEvents(query, events);
        await save(query, { ...state, ...pauses.state, ...failures.state, ...waiting.state });
        return events.length;
      });
    },

    /** Whether an audit is due; if so, this process has to make it. */
    isAuditDue: (): Promise<boolean> =>
      inTransaction(async (query) => {
        const rows = await query(CLAIM_AUDIT, { everyMs: AUDIT_EVERY_MS });
        return rows.length > 0;
      }),

    /** After an audit that failed: makes another one due. */
    releaseAudit: (): Promise<unknown> => inTransaction((query) => query(RELEASE_AUDIT)),

    /** Reports days, by date, with more unaccounted for than reported before. */
    reportAudits: (found: ReadonlyMap<string, Unaccounted>): Promise<number> =>
      inTransaction(async (query) => {
        const [state] = await query<WatchState>(`${READ} for update`);
        if (state === undefined) return 0;
        const { events, unaccounted } = compareAudits(state, found);
        await addEvents(query, events);
        await save(query, { ...state, unaccounted });
        return events.length;
      }),
  };
}

interface Pause {
  readonly destination: string;
  readonly pausedAt: number;
  readonly reason: string | null;
}

/** A destination that was resumed and paused again in between gets both events. */
function comparePauses({ now, paused: reported }: WatchState, pauses: readonly Pause[]) {
  const paused = Object.fromEntries(pauses.map((one) => [one.destination, one.pausedAt]));
  const events: OperationsEvent[] = [];
  for (const [destination, pausedAt] of Object.entries(reported)) {
    if (paused[destination] !== pausedAt) events.push(resumedEvent(now, destination, pausedAt));
  }
  for (const { destination, pausedAt, reason } of pauses) {
    if (reported[destination] === pausedAt) continue;
    events.push(pausedEvent(now, destination, pausedAt, reason));
  }
  return { events, state: { paused } };
}

function compareBacklog(
  { now, backlogSince, backlogSeenAt }: WatchState,
  { count, latenessMs }: LateBacklog,
): { readonly events: OperationsEvent[]; readonly state: Partial<WatchState> } {
  if (count > 0) {
    const events = backlogSince === null ? [backlogStartedEvent(now, count, latenessMs ?? 0)] : [];
    return { events, state: { backlogSince: backlogSince ?? now, backlogSeenAt: now } };
  }
  const seenAt = backlogSeenAt ?? now;
  if (backlogSince === null || now - seenAt < BACKLOG_GONE_AFTER_MS) {
    return { events: [], state: {} };
  }
  const events = [backlogClearedEvent(now, backlogSince, seenAt)];
  return { events, state: { backlogSince: null, backlogSeenAt: null } };
}

/**
 * Failures from before the first check are not reported. Once a minute, it reads everything that
 * can have been written late, which after a bad hour is a lot; otherwise only the last seconds.
 */
async function lookForFailures(query: Query, state: WatchState) {
  const { now, failuresLookedAt, failuresReportedAt } = state;
  if (failuresReportedAt !== null && now - failuresReportedAt < FAILURES_EVERY_MS) {
    return { events: [], state: {} };
  }
  const from = failuresLookedAt ?? now;
  const isFirstOfMinute = Math.floor(now / MINUTE_MS) !== Math.floor(from / MINUTE_MS);
  const isThorough = failuresLookedAt === null || isFirstOfMinute;
  const since = from - (isThorough ? WRITTEN_WITHIN_MS : WRITTEN_AS_A_RULE_MS);
  const groups = await query<FailureGroup>(NOTE_FAILURES, { since });
  if (isThorough) await query(FORGET_FAILURES, { since });
  const looked = { failuresLookedAt: now };
  if (failuresLookedAt === null || groups.length === 0) return { events: [], state: looked };
  return { events: [failedEvent(now, groups)], state: { ...looked, failuresReportedAt: now } };
}

function compareAudits(
  { now, unaccounted: reported }: WatchState,
  found: ReadonlyMap<string, Unaccounted>,
) {
  const events: OperationsEvent[] = [];
  const unaccounted: Record<string, number> = {};
  for (const [date, { count, first }] of found) {
    if (count > (reported[date] ?? 0)) events.push(unaccountedEvent(now, date, { count, first }));
    if (count > 0) unaccounted[date] = count;
  }
  return { events, unaccounted };
}

async function save(query: Query, state: WatchState): Promise<void> {
  const { paused, unaccounted, now: _now, ...instants } = state;
  await query(SAVE, {
    ...instants,
    paused: JSON.stringify(paused),
    unaccounted: JSON.stringify(unaccounted),
  });
}

const READ = `
  select ${ms('events.clock()', 'now')}, ${ms('failures_looked_at', 'failuresLookedAt')},
    ${ms('failures_reported_at', 'failuresReportedAt')}, ${ms('backlog_since', 'backlogSince')},
    ${ms('backlog_seen_at', 'backlogSeenAt')}, paused, unaccounted
  from events.operations_state`;

const SAVE = `
  update events.operations_state set failures_looked_at = ${instant(':failuresLookedAt')},
    failures_reported_at = ${instant(':failuresReportedAt')},
    backlog_since = ${instant(':backlogSince')}, backlog_seen_at = ${instant(':backlogSeenAt')},
    paused = :paused::jsonb, unaccounted = :unaccounted::jsonb`;

const READ_PAUSES = `
  select id as destination, ${ms('paused_at', 'pausedAt')}, pause_reason as reason
  from events.destinations where paused_at is not null order by id`;

/**
 * Failures that were not reported yet, by reason and destination. An occurrence that ended because
 * its user, occasion or date was changed is no trouble. An outcome can be written after later ones,
 * so an instant cannot mark what has been reported: hashes of reported keys are kept for an hour.
 */
const NOTE_FAILURES = `
  with failed as materialized (
    select key, reason, destination, settled_at, sha256(convert_to(key, 'UTF8')) as key_hash
    from events.occurrences
    where state = 'FAILED' and settled_at > ${instant(':since')}
      and reason not in ('user_deleted', 'occasion_deleted', 'suspended', 'date_changed')
  ), reported as (
    insert into events.reported_failures (key_hash, settled_at)
    select key_hash, settled_at from failed
    on conflict do nothing
    returning key_hash, settled_at
  )
  select reason, destination, count(*)::int as count,
    to_jsonb((array_agg(key order by settled_at, key))[1:${MOST_KEYS}]) as keys
  from failed join reported using (key_hash, settled_at)
  group by reason, destination order by count desc, reason, destination`;

const FORGET_FAILURES = `
  delete from events.reported_failures where settled_at <= ${instant(':since')}`;

const CLAIM_AUDIT = `
  update events.operations_state set audited_at = events.clock()
  where audited_at is null or audited_at <= events.clock() - ${interval(':everyMs')}
  returning id`;

const RELEASE_AUDIT = 'update events.operations_state set audited_at = null';
