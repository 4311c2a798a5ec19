import type { OccurrenceState } from '../domain/occurrence-state.ts';
import type { DateSettings } from '../domain/rules.ts';
import type { AuditClass, PendingStage } from './audit-class.ts';
import type { Suspicion } from './audit-suspicion.ts';

/**
 * What became of everybody who was due on a day. `due` is the sum of the classes, from
 * `delivered` to `unaccounted`; what is wrong with rows of the ledger comes on top.
 */
export interface AuditReport {
  /** `YYYY-MM-DD`, on the users' own calendars. */
  readonly date: string;
  /** Epoch ms. */
  readonly auditedAt: number;
  /** By which it was decided who was due: those in force. */
  readonly settings: DateSettings & { readonly tzVersion: string };
  readonly due: number;
  readonly delivered: number;
  readonly late: number;
  readonly failed: number;
  readonly skipped: Skipped;
  readonly pending: { readonly total: number } & Readonly<Record<PendingStage, number>>;
  readonly blocked: number;
  readonly deleted: number;
  /** Users who were erased since: numbers are all that was kept of them. */
  readonly erased: Erased;
  readonly changedSince: number;
  readonly otherSettings: number;
  readonly unaccounted: Listed<string>;
  readonly doubles: Listed<string>;
  readonly forged: Listed<ForgedRow>;
}

export interface Skipped {
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
}

/** `delivered`: late ones, too. */
export interface Erased {
  readonly total: number;
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

/** Whether an audit found nothing that nobody can explain. */
export function isClean({ unaccounted, doubles, forged }: AuditReport): boolean {
  return unaccounted.count + doubles.count + forged.count === 0;
}

export interface Tally {
  count(key: string, found: AuditClass): void;
  /** Adds users who were erased, by the state that their rows had then. */
  erased(state: OccurrenceState, count: number): void;
  double(key: string): void;
  forged(row: ForgedRow): void;
  report(about: Pick<AuditReport, 'date' | 'auditedAt' | 'settings'>): AuditReport;
}

/** Counts, in the memory of a few keys. */
export function createTally(): Tally {
  const counts = {
    delivered: 0,
    late: 0,
    failed: 0,
    skipped: 0,
    pending: 0,
    blocked: 0,
    deleted: 0,
    changedSince: 0,
    otherSettings: 0,
  };
  const stages = { toCome: 0, unplanned: 0, underWay: 0, overdue: 0 };
  const erased = { delivered: 0, failed: 0, skipped: 0 };
  const reasons: Record<string, number> = {};
  const unaccounted = createList<string>();
  const doubles = createList<string>();
  const forged = createList<ForgedRow>();

  return {
    count(key, found) {
      if (found.kind === 'unaccounted') {
        unaccounted.add(key);
        return;
      }
      counts[found.kind] += 1;
      if (found.kind === 'pending') stages[found.stage] += 1;
      if (found.kind === 'skipped') reasons[found.reason] = (reasons[found.reason] ?? 0) + 1;
    },
    erased(state, count) {
      if (state === 'COMPLETED') erased.delivered += count;
      else if (state === 'FAILED') erased.failed += count;
      // Only what is settled is erased.
      else erased.skipped += count;
    },
    double: doubles.add,
    forged: forged.add,
    report(about) {
      const accounted = sumOf(counts);
      const erasedTotal = sumOf(erased);
      return {
        ...about,
        due: accounted + erasedTotal + unaccounted.listed().count,
        ...counts,
        skipped: { total: counts.skipped, byReason: { ...reasons } },
        pending: { total: counts.pending, ...stages },
        erased: { total: erasedTotal, ...erased },
        unaccounted: unaccounted.listed(),
        doubles: doubles.listed(),
        forged: forged.listed(),
      };
    },
  };
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
