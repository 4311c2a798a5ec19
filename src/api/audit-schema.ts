import { z } from '@hono/zod-openapi';

import { type AuditReport, isClean } from '../events/audit-report.ts';

const count = (description: string) => z.int().openapi({ description });

const keys = (description: string) =>
  z
    .object({ count: z.int(), first: z.array(z.string()).openapi({ description: 'At most 100' }) })
    .openapi({ description });

/** What became of everybody who was due: docs/reliability.md defines each class. */
export const AuditSchema = z
  .object({
    date: z.iso.date(),
    auditedAt: z.iso.datetime(),
    settings: z
      .object({ localTime: z.string(), leapDayPolicy: z.string(), tzVersion: z.string() })
      .openapi({ description: 'Those in force, by which it was decided who was due' }),
    clean: z.boolean().openapi({ description: 'None unaccounted, no doubles, none forged' }),
    due: count('The sum of all classes, from delivered to unaccounted'),
    delivered: count('On time'),
    late: count('Delivered later than LATE_AFTER'),
    failed: count('Given up'),
    skipped: z.object({ total: z.int(), byReason: z.record(z.string(), z.int()) }),
    pending: z.object({
      total: z.int(),
      toCome: count('Its instant is to come'),
      unplanned: count('Its instant is to come, and there is no row yet'),
      underWay: count('Being sent, or waiting for its next attempt'),
      overdue: count('Past and still owed, and nobody is at it'),
    }),
    blocked: count('Cannot be planned: a zone that this installation does not know'),
    deleted: count('Deleted before it was settled'),
    erased: z
      .object({ total: z.int(), delivered: z.int(), failed: z.int(), skipped: z.int() })
      .openapi({ description: 'Deleted and erased since: only these numbers were kept' }),
    changedSince: count('A change of date or zone moved it to another day of the same year'),
    otherSettings: count('Not due by the settings that the day was planned under'),
    unaccounted: keys('Was due, and nothing says what became of it'),
    doubles: keys('A second row for one user and year, or more than one delivery'),
    forged: z
      .object({
        count: z.int(),
        first: z
          .array(z.object({ key: z.string(), reason: z.string() }))
          .openapi({ description: 'At most 100' }),
      })
      .openapi({ description: 'Rows of the day that the history of their user contradicts' }),
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
