import type { AuditBody } from '../api/audit-schema.ts';

/** An audit for people: every class with its count, then the keys of what is wrong. */
export function auditTable(audit: AuditBody): string {
  const { settings, skipped, pending, erased, unaccounted, doubles, forged } = audit;
  const reasons = Object.entries(skipped.byReason);
  const rows: Row[] = [
    ['due', audit.due],
    ['  delivered on time', audit.delivered],
    ['  delivered late', audit.late],
    ['  failed', audit.failed],
    ['  skipped', skipped.total],
    ...reasons.map(([reason, count]): Row => [`    ${reason}`, count]),
    ['  pending', pending.total],
    ['    to come', pending.toCome],
    ['    to come, not planned yet', pending.unplanned],
    ['    under way', pending.underWay],
    ['    overdue', pending.overdue],
    ['  blocked', audit.blocked],
    ['  deleted', audit.deleted],
    ['  erased since', erased.total],
    ['    delivered', erased.delivered],
    ['    failed', erased.failed],
    ['    skipped', erased.skipped],
    ['  changed since', audit.changedSince],
    ['  other settings then', audit.otherSettings],
    ['  unaccounted', unaccounted.count],
    ['doubles', doubles.count],
    ['forged rows', forged.count],
  ];
  return [
    `${audit.date}, as of ${audit.auditedAt}`,
    `by ${settings.localTime}, ${settings.leapDayPolicy}, tz ${settings.tzVersion}`,
    '',
    ...rows.map(([name, count]) => `${name.padEnd(30)}${String(count).padStart(9)}`),
    ...listed('unaccounted', unaccounted.count, unaccounted.first),
    ...listed('doubles', doubles.count, doubles.first),
    ...listed(
      'forged rows',
      forged.count,
      forged.first.map(({ key, reason }) => `${key}  ${reason}`),
    ),
    '',
    audit.clean ? accountedFor(audit) : 'See docs/reliability.md for what to do.',
    '',
  ].join('\n');
}

/** Whom an outcome is known of was not always greeted: says how many were not, if any. */
function accountedFor({ failed, skipped, pending, erased }: AuditBody): string {
  const notGreeted = [
    [failed + erased.failed, 'failed'],
    [skipped.total + erased.skipped, 'skipped'],
    [pending.overdue, 'overdue'],
  ] as const;
  const some = notGreeted.filter(([count]) => count > 0);
  if (some.length === 0) return 'Everybody is accounted for.';
  const all = some.reduce((sum, [count]) => sum + count, 0);
  const each = some.map(([count, what]) => `${count} ${what}`).join(', ');
  return `Everybody is accounted for. Not greeted: ${all} (${each}).`;
}

type Row = readonly [name: string, count: number];

function listed(name: string, count: number, lines: readonly string[]): string[] {
  if (count === 0) return [];
  const more = count - lines.length;
  return [
    '',
    `${name}:`,
    ...lines.map((line) => `  ${line}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ];
}
