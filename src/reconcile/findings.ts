import { instant, ms, queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { FindingCounts, FindingKind } from '../workflows/maintenance-contract.ts';

export interface Finding {
  readonly kind: FindingKind;
  /** The id of a workflow (`birthday/<userId>`) or the key of an occurrence. */
  readonly subject: string;
  readonly type: string;
  readonly id: string;
  /** Null where nothing of the user may be kept. */
  readonly userId: string | null;
  /** Epoch ms. */
  readonly dueAt: number | null;
  /** What is wrong, for an operator. */
  readonly note: string;
}

export type Findings = ReturnType<typeof createFindings>;

/** As many as an operator reads. */
const EXAMPLES = 20;
/** More than a round finds. */
const MAX_LISTED = 20_000;

/** What the reconciler found and has not seen cured, kept from one round to the next. */
export function createFindings(orm: Orm) {
  const query = queryOf(orm);
  const count = async (sql: string, parameters: Record<string, unknown>) =>
    countByKind(await query<{ kind: FindingKind }>(sql, parameters));
  const change = (sql: string) => (findings: readonly Finding[]) =>
    findings.length === 0
      ? Promise.resolve<FindingCounts>({})
      : count(sql, { findings: JSON.stringify(findings) });

  return {
    /** Keeps findings; returns how many of them are new. */
    keep: change(KEEP),
    /** Drops findings that no longer hold; returns how many there were. */
    drop: change(DROP),
    /** What was done has not cured these. */
    markUnrepaired: change(MARK_UNREPAIRED),

    list: (kinds: readonly FindingKind[]) =>
      query<Finding>(LIST, { kinds: JSON.stringify(kinds), limit: MAX_LISTED }),

    /** All that are not repaired, by kind, and the most urgent of them. */
    async unrepaired(kinds: readonly FindingKind[]) {
      const parameters = { kinds: JSON.stringify(kinds) };
      return {
        counts: await count(FIND_UNREPAIRED, parameters),
        examples: await query<Finding>(LIST_UNREPAIRED, { ...parameters, limit: EXAMPLES }),
      };
    },
  };
}

/** Adds counts up, kind by kind. */
export function addCounts(...all: readonly FindingCounts[]): FindingCounts {
  const sums: Partial<Record<FindingKind, number>> = {};
  for (const [kind, count] of all.flatMap(entriesOf)) sums[kind] = (sums[kind] ?? 0) + count;
  return sums;
}

export function countByKind(rows: readonly { readonly kind: FindingKind }[]): FindingCounts {
  const counts: Partial<Record<FindingKind, number>> = {};
  for (const { kind } of rows) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

export function entriesOf(counts: FindingCounts): [FindingKind, number][] {
  return Object.entries(counts) as [FindingKind, number][];
}

/** Identifies a finding. */
export function nameOf({ kind, subject }: Finding): string {
  return `${kind} ${subject}`;
}

const GIVEN = `jsonb_to_recordset(:findings::jsonb) as given
  (kind text, subject text, type text, id uuid, "userId" uuid, "dueAt" float8, note text)`;

const COLUMNS = `kind, subject, occasion_type as type, occasion_id as id, user_id as "userId",
  ${ms('due_at', 'dueAt')}, note`;

const OF_KINDS = `kind in (select jsonb_array_elements_text(:kinds::jsonb))`;

const KEEP = `
  insert into events.findings (kind, subject, occasion_type, occasion_id, user_id, due_at, note)
  select kind, subject, type, id, "userId", ${instant('"dueAt"')}, note
  from ${GIVEN} order by kind, subject
  on conflict do nothing
  returning kind`;

const LIST = `
  select ${COLUMNS} from events.findings where ${OF_KINDS}
  order by due_at nulls last, kind, subject limit :limit::int`;

/** Locked in order, so that reconcilers that run at once do not deadlock. */
const LOCKED = `
  locked as materialized (
    select f.kind, f.subject, given.note from ${GIVEN}
    join events.findings as f on f.kind = given.kind and f.subject = given.subject
    order by f.kind, f.subject for update of f
  )`;

const DROP = `
  with ${LOCKED}
  delete from events.findings as f using locked
  where f.kind = locked.kind and f.subject = locked.subject
  returning f.kind`;

const MARK_UNREPAIRED = `
  with ${LOCKED}
  update events.findings as f
  set unrepaired_at = coalesce(f.unrepaired_at, events.clock()), note = locked.note
  from locked where f.kind = locked.kind and f.subject = locked.subject
  returning f.kind`;

const FIND_UNREPAIRED = `
  select kind from events.findings where unrepaired_at is not null and ${OF_KINDS}`;

const LIST_UNREPAIRED = `
  select ${COLUMNS} from events.findings
  where unrepaired_at is not null and ${OF_KINDS}
  order by due_at nulls last, kind, subject limit :limit::int`;
