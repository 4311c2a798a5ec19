import type { CrudSample } from '../support/crud-load.ts';
import { distributionOf } from '../support/statistics.ts';
import { duration, table } from './table.ts';

/** Latencies by time of measurement, and within each by operation. */
export function apiTable(windows: Readonly<Record<string, readonly CrudSample[]>>): string {
  const header = ['when', 'operation', 'requests', 'p50', 'p95', 'p99', 'last', 'not answered 2xx'];
  const rows = Object.entries(windows).flatMap(([when, samples]) => {
    const byOperation = [...Map.groupBy(samples, ({ operation }) => operation)];
    const each = byOperation.map(([operation, those]) => row('', operation, those));
    return [row(when, 'all', samples)].concat(each);
  });
  return table(header, rows);
}

function row(when: string, operation: string, samples: readonly CrudSample[]): string[] {
  const latency = distributionOf(samples.map(({ latencyMs }) => latencyMs));
  const failed = samples.filter(({ status }) => status < 200 || status >= 300).length;
  return [
    when,
    operation,
    String(samples.length),
    ...(['p50', 'p95', 'p99', 'last'] as const).map((name) => duration(latency?.[name])),
    String(failed),
  ];
}
