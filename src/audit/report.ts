import { z } from '@hono/zod-openapi';

import type { OccurrenceState } from '../ledger/types.ts';
import type { AuditClass } from './classify.ts';

/** Enough to see what happened; a day can have hundreds of thousands. */
const MOST_LISTED = 100;

const count = (description: string) => z.int().openapi({ description });

const listOf = (description: string) =>
  z
    .object({
      count: z.int(),
      first: z.array(z.string()).openapi({ description: `At most ${MOST_LISTED}` }),
    })
    .openapi({ description });

const byReason = (description: string) =>
  z.object({ total: z.int(), byReason: z.record(z.string(), z.int()) }).openapi({ description });

/** What became of everything that fell due on a day; docs/reliability.md defines each class. */
export const AuditSchema = z
  .object({
    date: z.iso.date(),
    auditedAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({ description: 'The rules of the day and the tz database in use' }),
    clean: z
      .boolean()
      .openapi({ description: 'None unaccounted for, no doubles, none unexpected' }),
    due: count('The sum of all classes, from delivered to unaccounted'),
    delivered: count('On time'),
    late: count('Delivered later than LATE_AFTER'),
    failed: byReason('Attempted and given up'),
    skipped: byReason('Never attempted'),
    pending: z.object({
      total: z.int(),
      toCome: count('Its instant is to come'),
      unplanned: count('Its instant is to come, and there is no row yet'),
      behind: count('Past, and waits for an open row of its occasion'),
      underWay: count('Being sent, or waits for its next attempt'),
      overdue: count('Past and still owed, and not being sent'),
    }),
    blocked: count('Cannot be planned: a zone that this installation does not know'),
    deleted: count('Deleted before it was settled'),
    erased: z
      .object({ total: z.int(), delivered: z.int(), failed: z.int(), skipped: z.int() })
      .openapi({ description: 'Deleted and erased since: only these numbers were kept' }),
    changedSince: count('A change of inputs moved it to another day'),
    unaccounted: listOf('Fell due, and nothing says what became of it'),
    doubles: listOf('A second row for one occurrence, or more than one delivery'),
    unexpected: listOf('Sent on the day, though by the history nothing fell due'),
  })
  .openapi('Audit');

export type AuditReport = z.output<typeof AuditSchema>;

export type Tally = ReturnType<typeof createTally>;

/** Counts classes and findings; keeps only the first keys of each. */
export function createTally() {
  const counts = { delivered: 0, late: 0, blocked: 0, deleted: 0, changedSince: 0 };
  const stages = { toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 };
  const erased = { delivered: 0, failed: 0, skipped: 0 };
  const failed: Record<string, number> = {};
  const skipped: Record<string, number> = {};
  const unaccounted = createList();
  const doubles = createList();
  const unexpected = createList();

  return {
    count(key: string, found: AuditClass): void {
      if (found.kind === 'unaccounted') unaccounted.add(key);
      else if (found.kind === 'pending') stages[found.stage] += 1;
      else if (found.kind === 'failed') increment(failed, found.reason);
      else if (found.kind === 'skipped') increment(skipped, found.reason);
      else counts[found.kind] += 1;
    },
    /** Adds occurrences of users who were erased, by the state in which they were settled. */
    addErased(state: OccurrenceState, number: number): void {
      if (state === 'COMPLETED') erased.delivered += number;
      else if (state === 'FAILED') erased.failed += number;
      else erased.skipped += number;
    },
    addDouble: doubles.add,
    addUnexpected: unexpected.add,
    report(about: Pick<AuditReport, 'date' | 'auditedAt' | 'settings'>): AuditReport {
      const classes = {
        ...counts,
        failed: { total: sumOf(failed), byReason: failed },
        skipped: { total: sumOf(skipped), byReason: skipped },
        pending: { total: sumOf(stages), ...stages },
        erased: { total: sumOf(erased), ...erased },
        unaccounted: unaccounted.listed,
      };
      const totals = [classes.failed, classes.skipped, classes.pending, classes.erased];
      return {
        ...about,
        clean: [unaccounted, doubles, unexpected].every(({ listed }) => listed.count === 0),
        due:
          totals.reduce((sum, { total }) => sum + total, sumOf(counts)) + unaccounted.listed.count,
        ...classes,
        doubles: doubles.listed,
        unexpected: unexpected.listed,
      };
    },
  };
}

function increment(counts: Record<string, number>, reason: string): void {
  counts[reason] = (counts[reason] ?? 0) + 1;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, number) => sum + number, 0);
}

function createList() {
  const listed = { count: 0, first: [] as string[] };
  return {
    listed,
    add(key: string): void {
      listed.count += 1;
      if (listed.count <= MOST_LISTED) listed.first.push(key);
    },
  };
}
