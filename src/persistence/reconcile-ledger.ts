import type { FindingCounts, LookResult } from '../domain/reconcile-messages.ts';
import type {
  DueSoon,
  Finding,
  LookRequest,
  ReconcileLedger,
  ReconcileState,
} from '../events/reconciliation.ts';
import { BIRTHDAYS, sourceOf, type FactsSources } from './facts-source.ts';
import * as findings from './reconcile-findings-sql.ts';
import type { Orm } from './orm.ts';
import * as sql from './reconcile-sql.ts';

/** A page of rows that are only passed over takes a fraction of a second. */
const PAGE = 50_000;
const EXAMPLES = 20;
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * The reconciler's looks, and what it remembers, on PostgreSQL.
 *
 * @param sources of the event types that it looks after
 */
export function createReconcileLedger(
  orm: Orm,
  sources: FactsSources = BIRTHDAYS,
): ReconcileLedger {
  const stillHolds = sql.holds(sources);
  const query = <Row extends object>(statement: string, ...params: unknown[]): Promise<Row[]> =>
    orm.em.fork().execute<Row[]>(statement, params);
  const countsBy = async (statement: string): Promise<FindingCounts> => {
    const rows = await query<{ kind: string; count: number }>(statement);
    return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
  };

  /** One statement's worth. */
  const lookOnce = async (statement: string, limit: number, ...params: unknown[]) => {
    const [found] = await query<Found>(statement, ...params, limit);
    return found ?? { suspected: 0, seen: 0 };
  };

  const lastId =
    (statement: string) =>
    async (after: string): Promise<string | undefined> => {
      const [row] = await query<{ last: string }>(statement, after, PAGE - 1);
      return row?.last;
    };

  function lookForUnplanned(request: LookRequest, type: string): Promise<LookResult> {
    const statement = sql.lookForUnplanned(sourceOf(sources, type).facts);
    return walk(request, FIRST_ID, LAST_ID, lastId(sql.USERS_PAGE), (after, last, limit) =>
      lookOnce(statement, limit, type, after, last, type, after, last, type),
    );
  }

  async function lookForStoreLost(request: LookRequest): Promise<LookResult> {
    const [lost] = await query<{ until: string }>(sql.IS_STORE_LOST);
    if (lost === undefined) return NOTHING;
    const few = await lookOnce(sql.LOOK_FEW_STORE_LOST, request.limit);
    const planned = await walk(
      request,
      FIRST_PLAN,
      LAST_PLAN,
      async ({ fireAt, key }) =>
        (await query<PlanPlace>(sql.INSTANTS_PAGE, fireAt, key, PAGE - 1))[0],
      (after, last, limit) =>
        lookOnce(sql.LOOK_STORE_LOST, limit, after.fireAt, after.key, last.fireAt, last.key),
    );
    const result = {
      suspected: few.suspected + planned.suspected,
      more: planned.more || few.seen >= request.limit,
    };
    if (result.suspected === 0 && !result.more) await query(sql.STORE_IS_REBUILT, lost.until);
    return result;
  }

  return {
    async look(kind, request) {
      if (kind === 'store_lost') return lookForStoreLost(request);
      if (kind === 'orphaned') {
        return walk(request, FIRST_ID, LAST_ID, lastId(sql.PLANS_PAGE), (after, last, limit) =>
          lookOnce(sql.LOOK_ORPHANED, limit, after, last, after, last),
        );
      }
      if (kind === 'unplanned') {
        const looks: LookResult[] = [];
        for (const type of request.eventTypes) looks.push(await lookForUnplanned(request, type));
        return {
          suspected: looks.reduce((sum, { suspected }) => sum + suspected, 0),
          more: looks.some(({ more }) => more),
        };
      }
      const { suspected, seen } = await lookOnce(sql.LOOK[kind], request.limit);
      return { suspected, more: seen >= request.limit };
    },

    findDueSoon(after, limit) {
      const { fireAt, key } = after ?? FIRST_PLAN;
      return query<DueSoon>(sql.FIND_DUE_SOON, fireAt, key, limit);
    },

    async suspectUnfollowed(keys) {
      if (keys.length === 0) return 0;
      return (await query(sql.SUSPECT_UNFOLLOWED, JSON.stringify(keys))).length;
    },

    async rememberStore(storeId) {
      await query(sql.REMEMBER_STORE, storeId, storeId);
    },

    async confirm() {
      await query(findings.dropUnconfirmed(stillHolds));
      return countsBy(findings.CONFIRM);
    },

    findToTry: (limit) => query<Finding>(findings.FIND_TO_TRY, limit),

    async markTried(tried) {
      if (tried.length > 0) await query(findings.MARK_TRIED, JSON.stringify(tried));
    },

    async settle() {
      const repaired = await countsBy(findings.dropRepaired(stillHolds));
      const [awaited] = await query<{ count: number }>(findings.COUNT_AWAITED);
      return { repaired, awaited: awaited?.count ?? 0 };
    },

    async markUnrepaired() {
      const fresh = await countsBy(findings.MARK_UNREPAIRED);
      const counts = await countsBy(findings.COUNT_UNREPAIRED);
      return { fresh, counts, examples: await query<Finding>(findings.FIND_UNREPAIRED, EXAMPLES) };
    },

    async countBystanders() {
      const [row] = await query<{ blocked: number; waiting: number; staleTokens: number }>(
        findings.BYSTANDERS,
      );
      return row ?? { blocked: 0, waiting: 0, staleTokens: 0 };
    },

    async markSucceeded() {
      await query(findings.MARK_SUCCEEDED);
    },
  };
}

/** What the reconciler has left in the database, for metrics. */
export function createReconcileState(orm: Orm): ReconcileState {
  return {
    async unrepaired() {
      const [row] = await orm.em.fork().execute<{ count: number }[]>(findings.UNREPAIRED);
      return row?.count ?? 0;
    },
    async lastSucceededAt() {
      const [row] = await orm.em.fork().execute<{ at: number | null }[]>(findings.LAST_SUCCEEDED);
      return row?.at ?? null;
    },
  };
}

/** All pages of a walk; `next` gives where a page ends, `lookAt` looks through it. */
async function walk<Place>(
  { limit, onPage }: LookRequest,
  start: Place,
  end: Place,
  next: (after: Place) => Promise<Place | undefined>,
  lookAt: (after: Place, last: Place, limit: number) => Promise<Found>,
): Promise<LookResult> {
  let suspected = 0;
  let seen = 0;
  for (let after = start; after !== end;) {
    const last = (await next(after)) ?? end;
    const found = await lookAt(after, last, limit - seen);
    suspected += found.suspected;
    seen += found.seen;
    if (seen >= limit) return { suspected, more: true };
    after = last;
    onPage();
  }
  return { suspected, more: false };
}

interface Found {
  readonly suspected: number;
  readonly seen: number;
}

type PlanPlace = Pick<DueSoon, 'fireAt' | 'key'>;

const NOTHING: LookResult = { suspected: 0, more: false };
/** Before and after all instants that there are: the years 1583 and 9999. */
const FIRST_PLAN: PlanPlace = { fireAt: Date.UTC(1583, 0, 1), key: '' };
const LAST_PLAN: PlanPlace = { fireAt: Date.UTC(9999, 0, 1), key: '' };
