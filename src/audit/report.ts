import type { DateSettings } from '../time/occurrence.ts';
import type { OccurrenceState } from '../ledger/types.ts';
import type { AuditClass, PendingStage } from './classify.ts';
import type { Suspicion } from './suspicion.ts';

/**
 * What became of all that fell due on a day. `due` is the sum of the classes, from `delivered`
 * to `unaccounted`; what is wrong with rows of the ledger comes on top.
 */
export interface AuditReport {
  /** `YYYY-MM-DD`, on the users' own calendars. */
  readonly date: string;
  /** Epoch ms. */
  readonly auditedAt: number;
  /** The rules in force; the day is audited by those of its own time. */
  readonly settings: DateSettings & { readonly tzVersion: string };
  readonly due: number;
  readonly delivered: number;
  readonly late: number;
  readonly failed: ByReason;
  readonly skipped: ByReason;
  readonly pending: { readonly total: number } & Readonly<Record<PendingStage, number>>;
  readonly blocked: number;
  readonly deleted: number;
  /** Of users who were erased since: only these numbers were kept. */
  readonly erased: Erased;
  readonly changedSince: number;
  /** Keys. */
  readonly unaccounted: Listed<string>;
  /** Keys. */
  readonly doubles: Listed<string>;
  readonly forged: Listed<ForgedRow>;
}

export interface ByReason {
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
}

export interface Erased {
  readonly total: number;
  /** Late ones, too. */
  readonly delivered: number;
  readonly failed: number;
  readonly skipped: number;
}

/** All are counted, and the first are named. */
export interface Listed<Item> {
  readonly count: number;
  readonly first: readonly Item[];
}

export interface ForgedRow {
  readonly key: string;
  readonly reason: Suspicion;
}

/** A sample is enough to see what happened; a day can have hundreds of thousands. */
const MOST_LISTED = 100;

/** Whether an audit found nothing unexplained. */
export function isClean({ unaccounted, doubles, forged }: AuditReport): boolean {
  return unaccounted.count + doubles.count + forged.count === 0;
}

export type Tally = ReturnType<typeof createTally>;

/** Counts classes and findings; keeps only the first keys of each. */
export function createTally() {
  const counts = { delivered: 0, late: 0, blocked: 0, deleted: 0, changedSince: 0 };
  const stages = { toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 };
  const erased = { delivered: 0, failed: 0, skipped: 0 };
  const failed: Record<string, number> = {};
  const skipped: Record<string, number> = {};
  const unaccounted = createList<string>();
  const doubles = createList<string>();
  const forged = createList<ForgedRow>();

  return {
    count(key: string, found: AuditClass): void {
      switch (found.kind) {
        case 'unaccounted':
          return unaccounted.add(key);
        case 'pending':
          stages[found.stage] += 1;
          return;
        case 'failed':
          return increment(failed, found.reason);
        case 'skipped':
          return increment(skipped, found.reason);
        default:
          counts[found.kind] += 1;
      }
    },
    /** Adds occurrences of users who were erased, by the state that their rows had then. */
    erased(state: OccurrenceState, count: number): void {
      if (state === 'COMPLETED') erased.delivered += count;
      else if (state === 'FAILED') erased.failed += count;
      // Only what is settled is erased.
      else erased.skipped += count;
    },
    double: doubles.add,
    forged: forged.add,
    report(about: Pick<AuditReport, 'date' | 'auditedAt' | 'settings'>): AuditReport {
      const totals = {
        failed: sumOf(failed),
        skipped: sumOf(skipped),
        pending: sumOf(stages),
        erased: sumOf(erased),
      };
      return {
        ...about,
        due: sumOf(counts) + sumOf(totals) + unaccounted.listed().count,
        ...counts,
        failed: { total: totals.failed, byReason: { ...failed } },
        skipped: { total: totals.skipped, byReason: { ...skipped } },
        pending: { total: totals.pending, ...stages },
        erased: { total: totals.erased, ...erased },
        unaccounted: unaccounted.listed(),
        doubles: doubles.listed(),
        forged: forged.listed(),
      };
    },
  };
}

function increment(counts: Record<string, number>, reason: string): void {
  counts[reason] = (counts[reason] ?? 0) + 1;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function createList<Item>() {
  let count = 0;
  const first: Item[] = [];
  return {
    add(item: Item): void {
      count += 1;
      if (count <= MOST_LISTED) first.push(item);
    },
    listed: (): Listed<Item> => ({ count, first: [...first] }),
  };
}
