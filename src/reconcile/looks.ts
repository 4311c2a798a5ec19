import { queryOf } from '../ledger/sql.ts';
import type { OccasionRef } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Finding } from './findings.ts';
import * as sql from './looks-sql.ts';

export interface Look {
  /**
   * Looks at the next part, a page or a few; gives what seems amiss there. `isOver` when nothing is
   * left: the next call begins anew.
   */
  next(): Promise<{ readonly suspects: readonly Finding[]; readonly isOver: boolean }>;
}

export interface LedgerLooks {
  /** In this order: what is urgent first. */
  readonly all: readonly Look[];
  /** Which of these findings still hold, or what is amiss with the same occasions and rows instead. */
  again(findings: readonly Finding[]): Promise<Finding[]>;
  countBystanders(): Promise<Bystanders>;
}

/** What there is besides, and is no finding. */
export interface Bystanders {
  /** Plans without an instant. */
  readonly blocked: number;
  /** Rows that have been due for two minutes: paused, rate-limited, or behind others. */
  readonly waiting: number;
}

export interface PageSizes {
  /** Users whose occasions one statement compares with the ledger. */
  readonly users: number;
  /** Open rows that one statement passes over. */
  readonly openRows: number;
  /** Rows that one statement finds at the most. */
  readonly found: number;
}

/** A page takes some 50 ms. */
const USUAL: PageSizes = { users: 5_000, openRows: 20_000, found: 5_000 };

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Compares what users have with the ledger, set-based and in pages. All of it only reads. */
export function createLedgerLooks(orm: Orm, sizes: PageSizes = USUAL): LedgerLooks {
  const query = queryOf(orm);
  const limit = sizes.found;

  const lookAtOccasions = (occasions: readonly OccasionRef[]): Promise<Finding[]> =>
    occasions.length === 0
      ? Promise.resolve([])
      : query<Finding>(sql.LOOK_AT_OCCASIONS, {
          occasions: JSON.stringify(occasions),
        });

  const whole = (statement: string): Look => ({
    async next() {
      return { suspects: await query<Finding>(statement, { limit }), isOver: true };
    },
  });

  function lookAtUsers(): Look {
    let after = FIRST_ID;
    return {
      async next() {
        const [end] = await query<{ last: string }>(sql.END_OF_USERS, { after, page: sizes.users });
        const last = end?.last ?? LAST_ID;
        const suspects = await query<Finding>(sql.LOOK_AT_USERS, { after, last });
        after = end?.last ?? FIRST_ID;
        return { suspects, isOver: end === undefined };
      },
    };
  }

  function lookAtOpenRows(): Look {
    let after = FIRST_ROW;
    return {
      async next() {
        const { type, id } = after;
        const parameters = { type, id, page: sizes.openRows };
        const rows = await query<OpenRow>(sql.LOOK_AT_OPEN_ROWS, parameters);
        after = rows.at(-1) ?? FIRST_ROW;
        const unknown = rows.filter(({ isUnknown }) => isUnknown);
        return { suspects: await lookAtOccasions(unknown), isOver: rows.length === 0 };
      },
    };
  }

  return {
    all: [whole(sql.LOOK_AT_PARKED), whole(sql.LOOK_AT_DUE_ROWS), lookAtUsers(), lookAtOpenRows()],

    async again(findings) {
      const occasions = new Map<string, OccasionRef>();
      const keys = new Set<string>();
      for (const { kind, subject, type, id } of findings) {
        if (kind === 'parked') continue;
        if (!subject.includes('/')) keys.add(subject);
        else if (type !== null && id !== null) occasions.set(subject, { type, id });
      }
      const hasParked = findings.some(({ kind }) => kind === 'parked');
      return [
        ...(await lookAtOccasions([...occasions.values()])),
        ...(keys.size === 0
          ? []
          : await query<Finding>(sql.LOOK_AT_ROWS, {
              keys: JSON.stringify([...keys]),
              limit: keys.size,
            })),
        ...(hasParked ? await query<Finding>(sql.LOOK_AT_PARKED, { limit }) : []),
      ];
    },

    async countBystanders() {
      const [row] = await query<Bystanders>(sql.BYSTANDERS);
      return row ?? { blocked: 0, waiting: 0 };
    },
  };
}

interface OpenRow extends OccasionRef {
  readonly isUnknown: boolean;
}

const FIRST_ROW: OccasionRef = { type: '', id: FIRST_ID };
