import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import * as sql from './wakes-sql.ts';

/** Updated in some 200 ms, which nobody has to wait for. */
const PAGE = 5_000;

const FIRST: OccasionRef = { type: '', id: '00000000-0000-0000-0000-000000000000' };

interface ForgottenPage extends OccasionRef {
  readonly count: number;
}

/** Forgets when workflows will wake, page by page; the notifier then notifies all of them. */
export function createForgetting(orm: Orm, page = PAGE) {
  const query = queryOf(orm);

  return {
    /**
     * Notes the Temporal store that the workflows live in. With another one than before, all
     * wakes are to be forgotten.
     *
     * @param store the id of its namespace
     */
    async rememberStore(store: string): Promise<{ readonly isLost: boolean }> {
      const [row] = await query<{ isLost: boolean }>(sql.REMEMBER_STORE, { store });
      return { isLost: row?.isLost ?? false };
    },

    /**
     * Goes on with the forgetting that a lost store has begun, from where the last one stopped.
     * Gives how many wakes were forgotten.
     */
    async goOn(onPage: () => void = () => {}): Promise<number> {
      let forgotten = 0;
      for (;;) {
        const [begun] = await query<{ place: string }>(sql.FIND_PLACE);
        if (begun === undefined) return forgotten;
        const { place } = begun;
        const [last] = await query<ForgottenPage>(sql.FORGET_ALL, { ...occasionAt(place), page });
        forgotten += last?.count ?? 0;
        const next = last === undefined ? null : `${last.type}/${last.id}`;
        await query(sql.MOVE_PLACE, { place, next });
        onPage();
      }
    },

    /** Forgets at once, of all occasions or of what changed since an instant (epoch ms). */
    async forget(since: number | null): Promise<number> {
      const statement = since === null ? sql.FORGET_ALL : sql.FORGET_SINCE;
      let forgotten = 0;
      let after: OccasionRef = FIRST;
      for (;;) {
        const place = { type: after.type, id: after.id, page };
        const parameters = since === null ? place : { ...place, since };
        const [last] = await query<ForgottenPage>(statement, parameters);
        if (last === undefined) return forgotten;
        forgotten += last.count;
        after = last;
      }
    },
  };
}

/** `<type>/<id>`, or nothing at the beginning. */
function occasionAt(place: string): OccasionRef {
  const [type, id] = place.split('/');
  return type === undefined || id === undefined ? FIRST : { type, id };
}
