import type {
  ArmResult,
  Claim,
  ClaimedOccurrence,
  DeliveryLedger,
  LedgerCounts,
} from '../events/ports.ts';
import {
  ARM,
  ARM_OVERDUE,
  CLAIM,
  COUNTS,
  FIND_STATE,
  GIVE_BACK,
  NEXT_DUE,
  RECORD,
  RELEASE,
} from './delivery-ledger-sql.ts';
import { createDestination } from './destination.ts';
import { LOCK_DESTINATION, SPEND_ALLOWANCE } from './destination-sql.ts';
import type { Orm } from './orm.ts';

/**
 * The ledger's transitions on PostgreSQL. Each is one conditional statement, so that a
 * race has one winner however many processes there are.
 *
 * @param settings.lateAfterMs an occurrence armed later than this after its fire instant
 *   goes behind those on time
 */
export function createDeliveryLedger(
  orm: Orm,
  settings: { readonly lateAfterMs: number },
): DeliveryLedger {
  const query = <Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(sql, params);
  const destination = createDestination(orm, settings);

  /** Gives those of `claims` whose rows are locked. */
  const write = async <Given extends Claim>(
    sql: string,
    claims: readonly Given[],
  ): Promise<Given[]> => {
    if (claims.length === 0) return [];
    const locked = await query<{ key: string }>(sql, JSON.stringify(claims));
    const keys = new Set(locked.map(({ key }) => key));
    return claims.filter(({ key }) => keys.has(key));
  };

  return {
    async arm({ occurrenceKey, fireAt, taskToken, now }) {
      const token = Buffer.from(taskToken).toString('hex');
      const late = now > fireAt + settings.lateAfterMs;
      const lane = late ? 1 : 0;
      const armed = await query(ARM, occurrenceKey, fireAt, token, now, lane, now, token);
      if (armed.length > 0) return { kind: 'armed' };
      const [row] = await query<{ state: string }>(FIND_STATE, occurrenceKey);
      return SETTLED[row?.state ?? ''] ?? { kind: 'released' };
    },

    async armOverdue({ limit, graceMs }) {
      return (await query(ARM_OVERDUE, graceMs, limit, settings.lateAfterMs)).length;
    },

    async claim({ limit, lateLimit = limit, now, holdMs }) {
      const claimUpTo = (em: Pick<typeof orm.em, 'execute'>, count: number) =>
        em.execute<ClaimedOccurrence[]>(CLAIM, [now, count, lateLimit, holdMs, holdMs]);

      const { held, perSecond } = await destination.find();
      if (held) return [];
      if (perSecond === null) return claimUpTo(orm.em.fork(), limit);

      // With a pace, claims take turns: the allowance is spent under its row's lock.
      return orm.em.fork().transactional(async (em) => {
        const [allowance] = await em.execute<{ available: number | null }[]>(LOCK_DESTINATION);
        const count = Math.min(limit, Math.floor(allowance?.available ?? 0));
        if (count < 1) return [];
        const claimed = await claimUpTo(em, count);
        await em.execute(SPEND_ALLOWANCE, [(allowance?.available ?? 0) - claimed.length]);
        return claimed;
      });
    },

    async record(attempts) {
      const rows = attempts.map(({ next, ...attempt }) => ({
        ...attempt,
        kind: next.kind,
        at: next.at,
        reason: next.kind === 'failed' ? next.reason : null,
      }));
      if (rows.length === 0) return { left: [], lost: [] };
      const others = await query<{ key: string; locked: boolean }>(RECORD, JSON.stringify(rows));
      const isLocked = new Map(others.map(({ key, locked }) => [key, locked]));
      return {
        left: attempts.filter(({ key }) => isLocked.get(key) === true),
        lost: attempts.filter(({ key }) => isLocked.get(key) === false),
      };
    },

    release: (claims) => write(RELEASE, claims),
    giveBack: (claims) => write(GIVE_BACK, claims),

    isHeld: destination.isHeld,
    heed: destination.heed,
    setPace: destination.setPace,
    putLateBehind: destination.putLateBehind,

    async nextDueInMs(now) {
      const [row] = await query<{ waitMs: number | null }>(NEXT_DUE, now);
      return row?.waitMs ?? null;
    },

    async counts() {
      const [counts] = await query<LedgerCounts>(COUNTS);
      return counts ?? { armed: 0, unreported: 0 };
    },
  };
}

const SETTLED: Readonly<Record<string, ArmResult>> = {
  COMPLETED: { kind: 'settled', outcome: 'delivered' },
  FAILED: { kind: 'settled', outcome: 'failed' },
  SKIPPED: { kind: 'settled', outcome: 'skipped' },
};
