import { z } from '@hono/zod-openapi';

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

/** Counts classes, and lists what is wrong: only the first keys of each kind. */
export function createTally() {
  const counts = new Map<string, number>();
  const listed = { unaccounted: newList(), doubles: newList(), unexpected: newList() };
  const of = (name: AuditClass): number => counts.get(name) ?? 0;
  /** The classes `<group>.<name>`, by name. */
  function groupOf(group: string): Record<string, number> {
    const entries = [...counts].filter(([name]) => name.startsWith(`${group}.`));
    return Object.fromEntries(
      entries.map(([name, count]) => [name.slice(group.length + 1), count]),
    );
  }

  return {
    count(name: AuditClass | `erased.${string}`, number = 1): void {
      counts.set(name, (counts.get(name) ?? 0) + number);
    },
    list(kind: keyof typeof listed, key: string): void {
      const { first } = listed[kind];
      listed[kind].count += 1;
      if (first.length < MOST_LISTED) first.push(key);
    },
    report(about: Pick<AuditReport, 'date' | 'auditedAt' | 'settings'>): AuditReport {
      const [failed, skipped] = [groupOf('failed'), groupOf('skipped')];
      const stages = { toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 };
      const pending = { ...stages, ...groupOf('pending') };
      const erased = { delivered: 0, failed: 0, skipped: 0, ...groupOf('erased') };
      return {
        ...about,
        clean: Object.values(listed).every(({ count }) => count === 0),
        due: sumOf(Object.fromEntries(counts)) + listed.unaccounted.count,
        delivered: of('delivered'),
        late: of('late'),
        failed: { total: sumOf(failed), byReason: failed },
        skipped: { total: sumOf(skipped), byReason: skipped },
        pending: { total: sumOf(pending), ...pending },
        blocked: of('blocked'),
        deleted: of('deleted'),
        erased: { total: sumOf(erased), ...erased },
        changedSince: of('changedSince'),
        ...listed,
      };
    },
  };
}

function newList() {
  return { count: 0, first: [] as string[] };
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, number) => sum + number, 0);
}
