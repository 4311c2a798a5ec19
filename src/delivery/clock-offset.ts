import { ms, queryOf } from '../ledger/sql.ts';
import type { Logger } from '../observability/logger.ts';
import type { Orm } from '../persistence/orm.ts';

/**
 * How far a process's clock is off the database's. A signature that is stamped five minutes off is
 * refused by every receiver that verifies as Standard Webhooks says, so a process that sends
 * corrects its clock, and sends nothing if that is too far off.
 */
export interface ClockOffset {
  /** Epoch ms by the database's clock, as far as the last measurement tells. */
  now(): number;
  /** Epoch ms by the earlier of both clocks. */
  earliest(): number;
  /**
   * False before the first measurement, when the clock is too far off, and when it has leapt since
   * it was measured: then nothing may be claimed or sent until it is measured again.
   */
  isUsable(): boolean;
  /** Runs a call that reads the database's clock, and measures by its answer. */
  measure<Answer extends DatabaseNow>(call: () => Promise<Answer>): Promise<Answer>;
}

export interface ClockOffsetDeps {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly logger: Logger;
  readonly observer?: ClockObserver;
}

export interface ClockObserver {
  /** @param offsetMs what the process's clock lacks; negative when it is ahead */
  measured(offsetMs: number, isTooFarOff: boolean): void;
}

/** A minute less than what receivers tolerate. */
const MAX_OFFSET_MS = 4 * 60_000;
/** Less than the minute that is left; more than a busy process's clock and timer differ by. */
const MAX_LEAP_MS = 30_000;

export function createClockOffset({ clock, logger, observer }: ClockOffsetDeps): ClockOffset {
  let measured: {
    readonly offsetMs: number;
    readonly wall: number;
    readonly steady: number;
  } | null = null;
  let isAlarmed = false;

  const isTooFarOff = (): boolean =>
    measured !== null && Math.abs(measured.offsetMs) > MAX_OFFSET_MS;

  const hasLeapt = (): boolean => {
    if (measured === null) return false;
    const passedMs = performance.now() - measured.steady;
    return Math.abs(clock() - measured.wall - passedMs) > MAX_LEAP_MS;
  };

  const now = (): number => clock() + (measured?.offsetMs ?? 0);

  const alarm = (offsetMs: number): void => {
    observer?.measured(offsetMs, isTooFarOff());
    if (isTooFarOff() === isAlarmed) return;
    isAlarmed = !isAlarmed;
    if (isAlarmed) {
      const about = { alarm: 'clock-skew', offsetMs: Math.round(offsetMs) };
      logger.error(about, "the clock is too far off the database's: nothing is sent from here");
    } else {
      logger.info({ offsetMs: Math.round(offsetMs) }, 'the clock is right again');
    }
  };

  return {
    now,
    earliest: () => Math.min(clock(), now()),
    isUsable: () => measured !== null && !isTooFarOff() && !hasLeapt(),
    async measure(call) {
      const begun = performance.now();
      const answer = await call();
      const steady = performance.now();
      const wall = clock();
      // The database read its clock half-way, as far as anything is known of that.
      const offsetMs = answer.databaseNow - (wall - (steady - begun) / 2);
      measured = { offsetMs, wall, steady };
      alarm(offsetMs);
      return answer;
    },
  };
}

export interface DatabaseNow {
  /** Epoch ms. */
  readonly databaseNow: number;
}

/** Reads the clock that due rows are compared with. */
export function createDatabaseClock(orm: Orm): () => Promise<DatabaseNow> {
  const query = queryOf(orm);
  return async () => {
    const [read] = await query<DatabaseNow>(`select ${ms('events.clock()', 'databaseNow')}`);
    if (read === undefined) throw new Error('The database did not tell its clock.');
    return read;
  };
}
