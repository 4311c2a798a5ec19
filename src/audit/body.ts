import { z } from '@hono/zod-openapi';

import { type AuditReport, isClean } from './report.ts';

const count = (description: string) => z.int().openapi({ description });

const keys = (description: string) =>
  z
    .object({ count: z.int(), first: z.array(z.string()).openapi({ description: 'At most 100' }) })
    .openapi({ description });

const byReason = (description: string) =>
  z.object({ total: z.int(), byReason: z.record(z.string(), z.int()) }).openapi({ description });

/** docs/reliability.md defines each class. */
export const AuditSchema = z
  .object({
    date: z.iso.date(),
    auditedAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({ description: 'The rules of the day and the tz database in use' }),
    clean: z.boolean().openapi({ description: 'None unaccounted, no doubles, none forged' }),
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
    unaccounted: keys('Fell due, and nothing says what became of it'),
    doubles: keys('A second row for one occurrence, or more than one delivery'),
    forged: z
      .object({
        count: z.int(),
        first: z
          .array(z.object({ key: z.string(), reason: z.string() }))
          .openapi({ description: 'At most 100' }),
      })
      .openapi({ description: 'Rows of the day that the history of inputs contradicts' }),
  })
  .openapi('Audit');

export type AuditBody = z.output<typeof AuditSchema>;

/** Maps an audit to what the API shows of it. */
export function auditBody(report: AuditReport): AuditBody {
  const { unaccounted, doubles, forged } = report;
  return {
    ...report,
    auditedAt: new Date(report.auditedAt).toISOString(),
    clean: isClean(report),
    unaccounted: { count: unaccounted.count, first: [...unaccounted.first] },
    doubles: { count: doubles.count, first: [...doubles.first] },
    forged: { count: forged.count, first: [...forged.first] },
  };
}
