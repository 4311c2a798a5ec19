import type { AuditReport } from './report.ts';

/**
 * Formats an audit for a terminal: every class by its name and count, then the keys of the faults.
 */
export function auditTable(audit: AuditReport): string {
  const { date, auditedAt, settings, clean, types, due, doubles, unexpected, ...classes } = audit;
  const { unaccounted, ...others } = classes;
  const rows: Row[] = [
    ['due', due],
    ...rowsOf({ ...others, unaccounted: unaccounted.count }, '  '),
    ['doubles', doubles.count],
    ['unexpected', unexpected.count],
  ];
  return [
    `${date}, as of ${auditedAt}`,
    `by ${settings.localTime}, ${settings.leapDayPolicy}, tz ${settings.tzVersion}`,
    '',
    ...rows.map(([name, count]) => `${name.padEnd(30)}${String(count).padStart(9)}`),
    ...(types.length > 1 ? typeLines(types) : []),
    ...listed('unaccounted', unaccounted),
    ...listed('doubles', doubles),
    ...listed('unexpected', unexpected),
    '',
    clean ? accountedFor(audit) : 'See docs/reliability.md for what to do.',
    '',
  ].join('\n');
}

type Row = readonly [name: string, count: number];

interface Group {
  readonly total: number;
  readonly byReason?: Readonly<Record<string, number>>;
}

/** A group's own classes follow it. */
function rowsOf(classes: Readonly<Record<string, number | Group>>, indent: string): Row[] {
  return Object.entries(classes).flatMap(([name, found]): Row[] => {
    if (typeof found === 'number') return [[`${indent}${name}`, found]];
    const { total, byReason, ...parts } = found;
    const own: Row[] = [[`${indent}${name}`, total]];
    return own.concat(rowsOf(byReason ?? parts, `${indent}  `));
  });
}

/** A line for each type; what is not in its columns is 0 or counted in due. */
function typeLines(types: AuditReport['types']): string[] {
  const header = ['', 'due', 'delivered', 'late', 'failed', 'skipped', 'pending', 'unaccounted'];
  const lines = types.map(
    ({ type, due, delivered, late, failed, skipped, pending, unaccounted }) => {
      const counts = [
        due,
        delivered,
        late,
        failed.total,
        skipped.total,
        pending.total,
        unaccounted,
      ];
      return [type, ...counts.map(String)];
    },
  );
  const aligned = [header, ...lines].map(([name = '', ...cells]) =>
    [name.padEnd(18), ...cells.map((cell) => cell.padStart(12))].join(''),
  );
  return ['', ...aligned];
}

/** Also says how many were accounted for but not delivered. */
function accountedFor({ failed, skipped, pending, erased }: AuditReport): string {
  const notDelivered = [
    [failed.total + erased.failed, 'failed'],
    [skipped.total + erased.skipped, 'skipped'],
    [pending.overdue, 'overdue'],
  ] as const;
  const some = notDelivered.filter(([count]) => count > 0);
  if (some.length === 0) return 'Everyone is accounted for.';
  const all = some.reduce((sum, [count]) => sum + count, 0);
  const each = some.map(([count, what]) => `${count} ${what}`).join(', ');
  return `Everyone is accounted for. Not delivered: ${all} (${each}).`;
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
