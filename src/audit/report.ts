import { z } from '@hono/zod-openapi';

import type { AuditFinding } from './audit-occasion.ts';
import type { ErasedCount } from './read-audit.ts';

/** Enough to see what happened; a day can have hundreds of thousands. The list has all. */
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

const CLASSES = {
  due: count('The sum of all classes, from delivered to unaccounted'),
  delivered: count('On time'),
  late: count('Delivered later than LATE_AFTER'),
  failed: byReason('Attempted and given up'),
  skipped: byReason('Never attempted'),
  pending: z.object({
    total: z.int(),
    toCome: count('Not due yet'),
    unplanned: count('Not due yet, and there is no row yet'),
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
};

const WRONG = {
  unaccounted: 'Fell due, and has no recorded outcome',
  doubles: 'A second row for one occurrence, or more than one delivery',
  unexpected: 'Sent on the day, though by the history nothing fell due',
} as const;

type Wrong = keyof typeof WRONG;
const WRONG_NAMES = Object.keys(WRONG) as Wrong[];

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
    ...CLASSES,
    unaccounted: listOf(WRONG.unaccounted),
    doubles: listOf(WRONG.doubles),
    unexpected: listOf(WRONG.unexpected),
    types: z
      .array(
        z
          .object({
            type: z.string().openapi({ example: 'birthday' }),
            ...CLASSES,
            unaccounted: count(WRONG.unaccounted),
            doubles: count(WRONG.doubles),
            unexpected: count(WRONG.unexpected),
          })
          .openapi('AuditOfType'),
      )
      .openapi({ description: 'The same of each occasion type that has any, by name' }),
  })
  .openapi('Audit');

export type AuditReport = z.output<typeof AuditSchema>;

/** A class, or what is wrong with a row. */
export type FindingName = AuditFinding['name'];

/** Counts classes by type, and lists what is wrong: only the first keys of each kind. */
export function createTally() {
  const byType = new Map<string, Counts>();
  const first: Record<Wrong, string[]> = { unaccounted: [], doubles: [], unexpected: [] };
  function count(type: string, name: keyof Counts, number: number): void {
    const counts = byType.get(type) ?? {};
    byType.set(type, counts);
    counts[name] = (counts[name] ?? 0) + number;
  }

  return {
    add(type: string, { name, key }: Pick<AuditFinding, 'name' | 'key'>): void {
      count(type, name, 1);
      const keys = Object.hasOwn(first, name) ? first[name as Wrong] : null;
      if (keys !== null && keys.length < MOST_LISTED) keys.push(key);
    },

    addErased({ type, outcome, count: number }: ErasedCount): void {
      count(type, `erased.${outcome}`, number);
    },

    report(about: Pick<AuditReport, 'date' | 'auditedAt' | 'settings'>): AuditReport {
      const all: Counts = {};
      for (const counts of byType.values()) {
        for (const [name, number] of namesOf(counts)) all[name] = (all[name] ?? 0) + number;
      }
      const listed = WRONG_NAMES.map((name) => [
        name,
        { count: all[name] ?? 0, first: first[name] },
      ]);
      return {
        ...about,
        clean: WRONG_NAMES.every((name) => (all[name] ?? 0) === 0),
        ...classesOf(all),
        ...(Object.fromEntries(listed) as Pick<AuditReport, Wrong>),
        types: [...byType]
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
          .map(([type, counts]) => ofType(type, counts)),
      };
    },
  };
}

type Counts = Partial<Record<FindingName | `erased.${string}`, number>>;

function namesOf(counts: Counts) {
  return Object.entries(counts) as [keyof Counts, number][];
}

function ofType(type: string, counts: Counts): AuditReport['types'][number] {
  const { unaccounted = 0, doubles = 0, unexpected = 0 } = counts;
  return { type, ...classesOf(counts), unaccounted, doubles, unexpected };
}

function classesOf(counts: Counts) {
  /** The classes `<group>.<name>`, by name. */
  const groupOf = (group: string): Record<string, number> => {
    const own = namesOf(counts).filter(([name]) => name.startsWith(`${group}.`));
    return Object.fromEntries(own.map(([name, number]) => [name.slice(group.length + 1), number]));
  };
  const { doubles: _, unexpected: __, ...due } = counts;
  const [failed, skipped] = [groupOf('failed'), groupOf('skipped')];
  const stages = { toCome: 0, unplanned: 0, behind: 0, underWay: 0, overdue: 0 };
  const pending = { ...stages, ...groupOf('pending') };
  const erased = { delivered: 0, failed: 0, skipped: 0, ...groupOf('erased') };
  return {
    due: sumOf(due),
    delivered: counts.delivered ?? 0,
    late: counts.late ?? 0,
    failed: { total: sumOf(failed), byReason: failed },
    skipped: { total: sumOf(skipped), byReason: skipped },
    pending: { total: sumOf(pending), ...pending },
    blocked: counts.blocked ?? 0,
    deleted: counts.deleted ?? 0,
    erased: { total: sumOf(erased), ...erased },
    changedSince: counts.changedSince ?? 0,
  };
}

function sumOf(counts: Readonly<Record<string, number | undefined>>): number {
  return Object.values(counts).reduce<number>((sum, number) => sum + (number ?? 0), 0);
}
