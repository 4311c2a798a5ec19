import type { Orm } from '../platform/database/orm.ts';
import { claimSql, type Candidates } from './claim.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { createDestination } from './destination.ts';
import { END, RECORD, RELEASE, RETURN_TO_QUEUE } from './outcomes.ts';
import { firstRow, instant, isBefore, queryOf } from './sql.ts';
import type {
  ClaimedOccurrence,
  ClaimRequest,
  ClaimResult,
  EndedClaim,
  Lease,
  Recorded,
  RecordedAttempt,
} from './types.ts';

export type Ledger = ReturnType<typeof createLedger>;

export interface LedgerOptions {
  readonly lateAfterMs: number;
  readonly destination?: string;
}

/**
 * The ledger for processes that send: dispatchers, and the occasion workflow's activity. Each
 * function is one conditional statement over a batch; if two processes race, one wins.
 *
 * @param options.lateAfterMs occurrences that have been due for longer are late, behind punctual
 * ones
 * @param options.destination whose rows are claimed; outcomes can be of any
 */
export function createLedger(orm: Orm, options: LedgerOptions) {
  const { lateAfterMs, destination: id = DEFAULT_DESTINATION } = options;
  const query = queryOf(orm);
  const destination = createDestination(orm, id);
  /** From a monotonic clock of this process to the database's, as last seen; ms. */
  let databaseOffset: number | null = null;

  type Terms = Pick<ClaimRequest, 'now' | 'leaseMs' | 'takesExpired'>;

  async function claimUpTo(
    limit: number,
    candidates: Candidates,
    terms: Terms,
    isRepeated = false,
  ): Promise<ClaimResult> {
    const { takesExpired, ...others } = terms;
    const sentAt = performance.now();
    const takesExpiredUntil =
      takesExpired && databaseOffset !== null ? sentAt + databaseOffset + FRESH_MS : 0;
    const keys = candidates.kind === 'keys' ? JSON.stringify(candidates.keys) : null;
    const parameters = { ...others, destination: id, lateAfterMs, takesExpiredUntil, keys };
    const run = (spends: boolean) =>
      query<ClaimRow>(claimSql({ candidates, limit, spends }), parameters);

    let rows = await run(false);
    if (rows.length === 0) {
      await destination.register();
      rows = await run(false);
    }
    const first = firstRow(rows);
    const tookMs = performance.now() - sentAt;
    const isFresh = tookMs < FRESH_MS;
    if (isFresh) databaseOffset = first.databaseNow - (sentAt + tookMs / 2);
    // Claims take turns only under a rate limit.
    const takesTurns = first.perSecond !== null && !first.held;
    const result = resultOf(takesTurns ? await run(true) : rows);
    // The database's clock was not known, or has been set.
    const isMistaken =
      takesExpired && !first.tookExpired && isFresh && result.claimed.length === 0 && !isRepeated;
    return isMistaken ? claimUpTo(limit, candidates, terms, true) : result;
  }

  /** Returns those of `leases` whose rows are locked. */
  async function write<Given extends Lease>(
    sql: string,
    leases: readonly Given[],
  ): Promise<readonly Given[]> {
    if (leases.length === 0) return [];
    const locked = await query<{ key: string }>(sql, { leases: JSON.stringify(leases) });
    const keys = new Set(locked.map(({ key }) => key));
    return leases.filter(({ key }) => keys.has(key));
  }

  return {
    /**
     * Claims due rows for this process: due by its clock and by the database's, punctual ones
     * first, within the destination's allowance. Claims none while the destination is held.
     */
    claim({ limit, lateLimit = limit, ...terms }: ClaimRequest): Promise<ClaimResult> {
      return claimUpTo(limit, { kind: 'due', lateLimit }, terms);
    },

    /** The same, of these rows only. */
    claimKeys(keys: readonly string[], terms: Terms): Promise<ClaimResult> {
      return claimUpTo(keys.length, { kind: 'keys', keys }, terms);
    },

    /**
     * Records attempts and what they lead to. Safe to repeat. Like the next three functions, it
     * never waits for a locked row: it resolves with those, to be written again.
     */
    async record(attempts: readonly RecordedAttempt[]): Promise<Recorded> {
      // A statement changes a row once. A process has two attempts for one if it lost a lease and
      // took the next: the second is treated as if the row had been locked.
      const first = new Map(attempts.toReversed().map((attempt) => [attempt.key, attempt]));
      const given = attempts.filter((attempt) => first.get(attempt.key) === attempt);
      const rows = given.map(({ next, ...attempt }) => ({ ...attempt, ...next }));
      const undone = await query<{ key: string; locked: boolean }>(RECORD, {
        attempts: JSON.stringify(rows),
      });
      const isLocked = new Map(undone.map(({ key, locked }) => [key, locked]));
      return {
        locked: attempts.filter(
          (one) => isLocked.get(one.key) === true || first.get(one.key) !== one,
        ),
        lost: given.filter(({ key }) => isLocked.get(key) === false),
      };
    },

    /** Releases rows whose plan no longer holds: they wait for a new one. Never redeliveries. */
    release: (leases: readonly Lease[]) => write(RELEASE, leases),

    /**
     * Returns rows that were not sent: due again, at the current destinations of their types.
     */
    returnToQueue: (leases: readonly Lease[]) => write(RETURN_TO_QUEUE, leases),

    /** Settles rows that must not be sent. */
    end: (claims: readonly EndedClaim[]) => write(END, claims),

    /** Ms until the next row is due by both clocks: 0 if one is, null if none will be. */
    async nextDueInMs(now: number): Promise<number | null> {
      const [row] = await query<{ waitMs: number }>(NEXT_DUE, { destination: id, now });
      return row?.waitMs ?? null;
    },

    ...destination,
  };
}

/**
 * A statement can hang while the database is down, and run afterwards. Whether expired leases may
 * be taken was decided when it was sent, and is no longer valid then.
 */
const FRESH_MS = 2_000;

interface ClaimRow extends Omit<ClaimedOccurrence, 'key'> {
  readonly databaseNow: number;
  readonly held: boolean;
  readonly perSecond: number | null;
  readonly allowed: number;
  readonly tookExpired: boolean;
  /** Null in the only row of a claim that returned nothing. */
  readonly key: string | null;
}

function resultOf(rows: readonly ClaimRow[]): ClaimResult {
  const { databaseNow, allowed } = firstRow(rows);
  const claimed = rows.flatMap(
    ({ databaseNow: _1, held: _2, perSecond: _3, allowed: _4, tookExpired: _5, key, ...row }) =>
      key === null ? [] : { key, ...row },
  );
  return { databaseNow, allowed, claimed };
}

const firstFree = (priority: number): string => `(
      select next_attempt_at from events.occurrences
      where destination = :destination and priority = ${priority}
        and next_attempt_at is not null and lease_until is null
      order by destination, priority, next_attempt_at limit 1)`;

const firstExpiry = (priority: number): string => `(
      select min(lease_until) from events.occurrences
      where destination = :destination and priority = ${priority}
        and ${isBefore('next_attempt_at', '(select clock from moment)')}
        and (select coalesce(at > clock, true) from free, moment))`;

/** By whichever clock is behind. When leases end matters only while nothing else is due. */
const NEXT_DUE = `
  with moment as materialized (
    select clock, least(clock, ${instant(':now')}) as behind
    from (select events.clock() as clock) as c
  ), free as materialized (
    select least(${firstFree(0)}, ${firstFree(1)}) as at
  ), next as materialized (
    select least(at, ${firstExpiry(0)}, ${firstExpiry(1)}) as at from free
  )
  select greatest(0, extract(epoch from at - behind) * 1000)::float8 as "waitMs"
  from next, moment where at is not null`;
