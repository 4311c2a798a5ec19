import { queryOf } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { FindingCounts, FindingKind } from '../workflows/maintenance-contract.ts';

export interface Finding {
  readonly kind: FindingKind;
  /** A workflow's id, an occurrence's key, or `outbox:<id>`; with the kind, its identity. */
  readonly subject: string;
  /** The occasion; null where there is none. */
  readonly type: string | null;
  readonly id: string | null;
  readonly userId: string | null;
  /** Epoch ms; null when there is no instant. */
  readonly dueAt: number | null;
  /** What is amiss, in words. */
  readonly note: string | null;
}

export interface RememberedFinding extends Finding {
  readonly tries: number;
  /** How long ago it was tried last, in ms; null for never. */
  readonly triedAgoMs: number | null;
  /** How long ago it was found, in ms. */
  readonly foundAgoMs: number;
}

export type Findings = ReturnType<typeof createFindings>;

/** As many as an operator reads. */
const EXAMPLES = 20;
/** More than a round finds. */
const MOST = 20_000;

/** What the reconciler has found and not seen cured, kept from one round to the next. */
export function createFindings(orm: Orm) {
  const query = queryOf(orm);
  const count = async (sql: string, parameters: Record<string, unknown>) =>
    countByKind(await query<{ kind: FindingKind; count: number }>(sql, parameters));

  return {
    /** Keeps findings; gives how many of them are new. */
    async keep(found: readonly Finding[]): Promise<FindingCounts> {
      if (found.length === 0) return {};
      return count(KEEP, { findings: JSON.stringify(found) });
    },

    list: (kinds: readonly FindingKind[]) =>
      query<RememberedFinding>(LIST, { kinds: JSON.stringify(kinds), limit: MOST }),

    /** Drops findings that hold no longer; gives how many there were. */
    async drop(cured: readonly Finding[]): Promise<FindingCounts> {
      if (cured.length === 0) return {};
      return count(DROP, { findings: JSON.stringify(cured) });
    },

    /** Something was done about these. */
    async markTried(tried: readonly Finding[]): Promise<void> {
      if (tried.length > 0) await query(MARK_TRIED, { findings: JSON.stringify(tried) });
    },

    /** What was done has not cured these, or nothing can be done; gives those that are newly so. */
    async markUnrepaired(findings: readonly Finding[]): Promise<FindingCounts> {
      if (findings.length === 0) return {};
      return count(MARK_UNREPAIRED, { findings: JSON.stringify(findings) });
    },

    /** All that are not repaired, by kind, and the most urgent of them. */
    async unrepaired(kinds: readonly FindingKind[]) {
      const parameters = { kinds: JSON.stringify(kinds) };
      return {
        counts: await count(COUNT_UNREPAIRED, parameters),
        examples: await query<Finding>(FIND_UNREPAIRED, { ...parameters, limit: EXAMPLES }),
      };
    },
  };
}

/** Adds counts up, kind by kind. */
export function addCounts(...all: readonly FindingCounts[]): FindingCounts {
  const sums: Partial<Record<FindingKind, number>> = {};
  for (const counts of all) {
    for (const [kind, number] of Object.entries(counts) as [FindingKind, number][]) {
      sums[kind] = (sums[kind] ?? 0) + number;
    }
  }
  return sums;
}

/** What tells findings apart. */
export function nameOf({ kind, subject }: Finding): string {
  return `${kind} ${subject}`;
}

function countByKind(
  rows: readonly { readonly kind: FindingKind; readonly count: number }[],
): FindingCounts {
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
}

const GIVEN = `jsonb_to_recordset(:findings::jsonb) as given
  (kind text, subject text, type text, id uuid, "userId" uuid, "dueAt" float8, note text)`;

const COLUMNS = `kind, subject, occasion_type as type, occasion_id as id, user_id as "userId",
  (extract(epoch from due_at) * 1000)::float8 as "dueAt", note`;

const OF_KINDS = `kind = any (array(select jsonb_array_elements_text(:kinds::jsonb)))`;

const KEEP = `
  with kept as (
    insert into events.findings
      (kind, subject, occasion_type, occasion_id, user_id, due_at, note)
    select kind, subject, type, id, "userId", to_timestamp("dueAt" / 1000), note
    from ${GIVEN} order by kind, subject
    on conflict do nothing
    returning kind
  )
  select kind, count(*)::int as count from kept group by kind`;

const LIST = `
  select ${COLUMNS}, tries,
    (extract(epoch from events.clock() - tried_at) * 1000)::float8 as "triedAgoMs",
    (extract(epoch from events.clock() - found_at) * 1000)::float8 as "foundAgoMs"
  from events.findings where ${OF_KINDS}
  order by due_at nulls last, kind, subject limit :limit::int`;

/** Locked in order, so that two reconcilers at once are in each other's way no longer than a moment. */
const THOSE = `
  those as materialized (
    select f.kind, f.subject, given.note from ${GIVEN}
    join events.findings as f on f.kind = given.kind and f.subject = given.subject
    order by f.kind, f.subject for update of f
  )`;

const DROP = `
  with ${THOSE},
  dropped as (
    delete from events.findings as f using those
    where f.kind = those.kind and f.subject = those.subject
    returning f.kind
  )
  select kind, count(*)::int as count from dropped group by kind`;

const MARK_TRIED = `
  with ${THOSE}
  update events.findings as f
  set tries = f.tries + 1, tried_at = events.clock(), note = coalesce(those.note, f.note)
  from those where f.kind = those.kind and f.subject = those.subject`;

const MARK_UNREPAIRED = `
  with ${THOSE},
  marked as (
    update events.findings as f
    set unrepaired_at = coalesce(f.unrepaired_at, events.clock()),
      note = coalesce(those.note, f.note)
    from those, events.findings as before
    where f.kind = those.kind and f.subject = those.subject
      and before.kind = f.kind and before.subject = f.subject
    returning f.kind, before.unrepaired_at is null as fresh
  )
  select kind, count(*)::int as count from marked where fresh group by kind`;

const COUNT_UNREPAIRED = `
  select kind, count(*)::int as count from events.findings
  where unrepaired_at is not null and ${OF_KINDS} group by kind`;

const FIND_UNREPAIRED = `
  select ${COLUMNS} from events.findings
  where unrepaired_at is not null and ${OF_KINDS}
  order by due_at nulls last, kind, subject limit :limit::int`;
