import type { AuditBody } from './body.ts';

/** An audit for people: every class with its count, then the keys of what is wrong. */
export function auditTable(audit: AuditBody): string {
  const { settings, failed, skipped, pending, erased, unaccounted, doubles, forged } = audit;
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

/** What is accounted for was not always delivered: says how much was not. */
function accountedFor({ failed, skipped, pending, erased }: AuditBody): string {
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

function byReason(counts: AuditBody['failed']): Row[] {
  return Object.entries(counts.byReason).map(([reason, count]) => [`    ${reason}`, count]);
}

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
