import { slowDownAfter, type SlowDown } from '../domain/destination-pace.ts';
import type { DeliveryLedger } from '../events/ports.ts';
import {
  END_SLOW_DOWN,
  FIND_DESTINATION,
  LOCK_SLOW_DOWN,
  PUT_BEHIND,
  SAVE_SLOW_DOWN,
  SET_PACE,
  type DestinationRow,
  type SlowDownRow,
} from './destination-sql.ts';
import type { Orm } from './orm.ts';

type Destination = Pick<DeliveryLedger, 'isHeld' | 'heed' | 'setPace' | 'putLateBehind'> & {
  find(): Promise<DestinationRow>;
};

/** Pace, pause and slow-down on PostgreSQL: the ledger's part that is about the destination. */
export function createDestination(
  orm: Orm,
  settings: { readonly lateAfterMs: number },
): Destination {
  const find = async (): Promise<DestinationRow> => {
    const [row] = await orm.em.fork().execute<DestinationRow[]>(FIND_DESTINATION);
    return row ?? { held: true, slowed: false, perSecond: null };
  };

  const putLateBehind = async (): Promise<void> => {
    await orm.em.fork().execute(PUT_BEHIND, [settings.lateAfterMs]);
  };

  return {
    find,

    isHeld: async () => (await find()).held,

    async heed(demand) {
      const slows = demand.asks === 'stop' || demand.asks === 'less';
      // The row is left alone as long as all is well, however much is sent.
      if (!slows && !(await find()).slowed) return { changed: false, slowDown: null };

      const heeded = await orm.em.fork().transactional(async (em) => {
        const [row] = await em.execute<SlowDownRow[]>(LOCK_SLOW_DOWN);
        if (row === undefined) return { changed: false, slowDown: null };
        const before = slowDownOf(row);
        const slowDown = slowDownAfter(before, demand, row.now, row.maxPerSecond);
        if (slowDown === null && before !== null) await em.execute(END_SLOW_DOWN);
        if (slowDown !== null && slowDown !== before) {
          const { since, until, perSecond, stops, changedAt, endsAt } = slowDown;
          await em.execute(SAVE_SLOW_DOWN, [since, until, perSecond, stops, changedAt, endsAt]);
        }
        return { changed: slowDown !== before, slowDown };
      });
      // What comes due after a long stop must not wait for all that has waited.
      if (heeded.changed && demand.asks === 'stop') {
        await putLateBehind();
      }
      return heeded;
    },

    putLateBehind,

    async setPace(maxPerSecond) {
      await orm.em.fork().execute(SET_PACE, [maxPerSecond, maxPerSecond]);
    },
  };
}

function slowDownOf(row: SlowDownRow): SlowDown | null {
  const { slowed, since, until, perSecond, stops, changedAt, endsAt } = row;
  return slowed ? { since, until, perSecond, stops, changedAt, endsAt } : null;
}
