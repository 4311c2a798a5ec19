import { ms, queryOf } from '../ledger/sql.ts';
import type { Logger } from '../platform/logger.ts';
import type { Orm } from '../platform/database/orm.ts';

export interface ClockOffsetDeps {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly logger: Logger;
  /** @param offsetMs the database's clock minus this process's */
  readonly onMeasured: (offsetMs: number, isTooFarOff: boolean) => void;
}

export interface DatabaseNow {
  /** Epoch ms. */
  readonly databaseNow: number;
}

export type ClockOffset = ReturnType<typeof createClockOffset>;

/** A minute less than receivers tolerate. */
export const MAX_OFFSET_MS = 4 * 60_000;
/**
 * Less than the minute that is left; more than the clock and the timers of a busy process differ
 * by.
 */
const MAX_LEAP_MS = 30_000;

/**
 * How far the process's clock is off the database's. A receiver that verifies according to Standard
 * Webhooks refuses a timestamp that is five minutes off, so a process that sends corrects its
 * clock, and sends nothing if that is too far off.
 */
export function createClockOffset({ clock, logger, onMeasured }: ClockOffsetDeps) {
  let measured: { offsetMs: number; wall: number; steady: number } | null = null;
  let isTooFarOff = false;

  /** Epoch ms by the database's clock, as of the last measurement. */
  const now = (): number => clock() + (measured?.offsetMs ?? 0);

  const judge = (offsetMs: number): void => {
    const wasTooFarOff = isTooFarOff;
    isTooFarOff = Math.abs(offsetMs) > MAX_OFFSET_MS;
    onMeasured(offsetMs, isTooFarOff);
    if (isTooFarOff === wasTooFarOff) return;
    const about = { offsetMs: Math.round(offsetMs) };
    if (!isTooFarOff) return logger.info(about, 'the clock is correct again');
    logger.error(
      { alarm: 'clock-skew', ...about },
      "the clock is too far off the database's: nothing is sent from here",
    );
  };

  return {
    now,

    /** Epoch ms by the earlier of both clocks. */
    earliest: (): number => Math.min(clock(), now()),

    /**
     * False before the first measurement, when the clock is too far off, and when it has jumped
     * since it was measured: then nothing may be claimed or sent until it is measured again.
     */
    isUsable(): boolean {
      if (measured === null || isTooFarOff) return false;
      const passedMs = performance.now() - measured.steady;
      return Math.abs(clock() - measured.wall - passedMs) <= MAX_LEAP_MS;
    },

    /** Runs a call that reads the database's clock, and measures the offset by its answer. */
    async measure<Answer extends DatabaseNow>(call: () => Promise<Answer>): Promise<Answer> {
      const begun = performance.now();
      const answer = await call();
      const steady = performance.now();
      const wall = clock();
      // Assumes that the database read its clock half-way through the call.
      const offsetMs = answer.databaseNow - (wall - (steady - begun) / 2);
      measured = { offsetMs, wall, steady };
      judge(offsetMs);
      return answer;
    },
  };
}

/** Reads the clock by which rows are due. */
export function createDatabaseClock(orm: Orm): () => Promise<DatabaseNow> {
  const query = queryOf(orm);
  return async () => {
    const [read] = await query<DatabaseNow>(`select ${ms('events.clock()', 'databaseNow')}`);
    if (read === undefined) throw new Error('The database did not return its clock.');
    return read;
  };
}
