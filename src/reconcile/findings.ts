import { instant, ms, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type {
  FindingCounts,
  FindingKind,
  ReconcileReport,
  UnrepairedFinding,
} from '../workflows/maintenance-contract.ts';

export interface Finding {
  readonly kind: FindingKind;
  /** The id of a workflow (`birthday/<userId>`) or the key of an occurrence. */
  readonly subject: string;
  readonly type: string;
  readonly id: string;
  /** Null if nothing of the user may be kept. */
  readonly userId: string | null;
  /** Epoch ms. */
  readonly dueAt: number | null;
  /** What is wrong, for an operator. */
  readonly note: string;
}

/** The result of one round of one half of the reconciler. */
export type Round = Pick<ReconcileReport, 'detected' | 'repaired' | 'unrepaired' | 'examples'>;

export type ReconcileLogger = Readonly<
  Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>
>;

export type Findings = ReturnType<typeof createFindings>;

/** As many as an operator will read. */
const EXAMPLES = 20;
/** More than a round finds. */
const MAX_LISTED = 20_000;

/** The reconciler's findings that are not known to be resolved, kept from one round to the next. */
export function createFindings(orm: Orm) {
  const query = queryOf(orm);
  const change = (sql: string) => (findings: readonly Finding[]) =>
    query<{ kind: FindingKind }>(sql, { findings: JSON.stringify(findings) });
  const list = (sql: string, kinds: readonly FindingKind[], limit: number) =>
    query<Finding>(sql, { kinds: JSON.stringify(kinds), limit });

  return {
    /** Stores findings; returns those that are new. */
    keep: change(KEEP),
    /** Deletes findings that no longer hold; returns those that existed. */
    drop: change(DROP),
    /** Marks findings that were not resolved by what was done. */
    markUnrepaired: change(MARK_UNREPAIRED),

    list: (kinds: readonly FindingKind[]) => list(listWhere('true'), kinds, MAX_LISTED),

    /** Logs at level error what is not repaired, naming the most urgent ones, and returns it. */
    async raiseAlarm(
      kinds: readonly FindingKind[],
      logger: ReconcileLogger,
      explain = async ({ note }: Finding): Promise<string> => note,
    ): Promise<Pick<Round, 'unrepaired' | 'examples'>> {
      const first = await list(listWhere(IS_UNREPAIRED), kinds, EXAMPLES);
      const examples: UnrepairedFinding[] = [];
      for (const finding of first) {
        const { kind, subject } = finding;
        examples.push({ kind, subject, why: await explain(finding) });
      }
      const unrepaired = countByKind(
        await query(FIND_UNREPAIRED, { kinds: JSON.stringify(kinds) }),
      );
      if (examples.length > 0) {
        const fields = { alarm: 'reconcile-unrepaired', unrepaired, examples };
        logger.error(fields, 'reconciler: this could not be repaired');
      }
      return { unrepaired, examples };
    },
  };
}

export function countByKind(rows: readonly { readonly kind: FindingKind }[]): FindingCounts {
  const counts: Partial<Record<FindingKind, number>> = {};
  for (const { kind } of rows) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Identifies a finding. */
export function nameOf({ kind, subject }: Finding): string {
  return `${kind} ${subject}`;
}

const GIVEN = `jsonb_to_recordset(:findings::jsonb) as given
  (kind text, subject text, type text, id uuid, "userId" uuid, "dueAt" float8, note text)`;

/**
 * In order, like all statements that lock several rows, so that concurrent reconcilers do not
 * deadlock.
 */
const KEEP = `
  insert into events.findings (kind, subject, occasion_type, occasion_id, user_id, due_at, note)
  select kind, subject, type, id, "userId", ${instant('"dueAt"')}, note
  from ${GIVEN} order by kind, subject
  on conflict do nothing returning kind`;

const LOCKED = `
  locked as materialized (
    select f.kind, f.subject, given.note from ${GIVEN}
    join events.findings as f on f.kind = given.kind and f.subject = given.subject
    order by f.kind, f.subject for update of f
  )`;

const DROP = `
  with ${LOCKED}
  delete from events.findings as f using locked
  where f.kind = locked.kind and f.subject = locked.subject returning f.kind`;

/** Unless another reconciler has resolved them meanwhile. */
const MARK_UNREPAIRED = `
  with ${LOCKED}
  update events.findings as f
  set unrepaired_at = coalesce(f.unrepaired_at, events.clock()), note = locked.note
  from locked where f.kind = locked.kind and f.subject = locked.subject returning f.kind`;

const OF_KINDS = `kind in (select jsonb_array_elements_text(:kinds::jsonb))`;
const IS_UNREPAIRED = 'unrepaired_at is not null';

const FIND_UNREPAIRED = `select kind from events.findings where ${IS_UNREPAIRED} and ${OF_KINDS}`;

const listWhere = (condition: string): string => `
  select kind, subject, occasion_type as type, occasion_id as id, user_id as "userId",
    ${ms('due_at', 'dueAt')}, note
  from events.findings where ${condition} and ${OF_KINDS}
  order by due_at nulls last, kind, subject limit :limit::int`;
