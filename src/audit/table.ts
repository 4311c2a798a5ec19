import type { AuditReport } from './report.ts';

/** An audit at a terminal: every class with its count, then the keys of what is wrong. */
export function auditTable(audit: AuditReport): string {
  const { settings, failed, skipped, pending, erased, unaccounted, doubles, unexpected } = audit;
  const rows: Row[] = [
    ['due', audit.due],
    ['  delivered on time', audit.delivered],
    ['  delivered late', audit.late],
    ['  failed', failed.total],
    ...byReason(failed),
    ['  skipped', skipped.total],
    ...byReason(skipped),
    ['  pending', pending.total],
    ['    to come', pending.toCome],
    ['    to come, not planned yet', pending.unplanned],
    ['    behind another', pending.behind],
    ['    under way', pending.underWay],
    ['    overdue', pending.overdue],
    ['  blocked', audit.blocked],
    ['  deleted', audit.deleted],
    ['  erased since', erased.total],
    ['    delivered', erased.delivered],
    ['    failed', erased.failed],
    ['    skipped', erased.skipped],
    ['  changed since', audit.changedSince],
    ['  unaccounted', unaccounted.count],
    ['doubles', doubles.count],
    ['unexpected', unexpected.count],
  ];
  return [
    `${audit.date}, as of ${audit.auditedAt}`,
    `by ${settings.localTime}, ${settings.leapDayPolicy}, tz ${settings.tzVersion}`,
    '',
    ...rows.map(([name, count]) => `${name.padEnd(30)}${String(count).padStart(9)}`),
    ...listed('unaccounted', unaccounted),
    ...listed('doubles', doubles),
    ...listed('unexpected', unexpected),
    '',
    audit.clean ? accountedFor(audit) : 'See docs/reliability.md for what to do.',
    '',
  ].join('\n');
}

/** Says also how many were accounted for and not delivered. */
function accountedFor({ failed, skipped, pending, erased }: AuditReport): string {
  const notDelivered = [
    [failed.total + erased.failed, 'failed'],
    [skipped.total + erased.skipped, 'skipped'],
    [pending.overdue, 'overdue'],
  ] as const;
  const some = notDelivered.filter(([count]) => count > 0);
  if (some.length === 0) return 'Everybody is accounted for.';
  const all = some.reduce((sum, [count]) => sum + count, 0);
  const each = some.map(([count, what]) => `${count} ${what}`).join(', ');
  return `Everybody is accounted for. Not delivered: ${all} (${each}).`;
}

type Row = readonly [name: string, count: number];

function byReason(counts: AuditReport['failed']): Row[] {
  return Object.entries(counts.byReason).map(([reason, count]) => [`    ${reason}`, count]);
}

function listed(name: string, { count, first }: AuditReport['doubles']): string[] {
  if (count === 0) return [];
  const more = count - first.length;
  return [
    '',
    `${name}:`,
    ...first.map((key) => `  ${key}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ];
}
