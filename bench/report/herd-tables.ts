/** The herd bench's figures for the terminal. */
import type { HerdResult } from '../support/herd-result.ts';
import { duration, table } from './table.ts';
import { usageTable } from './usage-table.ts';

/** For one size of herd, all contenders. */
export function herdTables(results: readonly HerdResult[]): string {
  return [
    lateness(results),
    ...results.flatMap((result) => [
      usageTable(`${result.contender}, ${result.users}`, result.usage),
      ...result.remarks.map((remark) => `  ${remark}`),
    ]),
  ].join('\n\n');
}

function lateness(results: readonly HerdResult[]): string {
  const header = [
    'contender',
    'users',
    'p99',
    'p50',
    'p95',
    'last',
    'delivered',
    'twice',
    'missing',
    'early',
    'booked after',
    'tx/user',
    'bytes/sleeper',
  ];
  const rows = results.map((result) => [
    result.contender,
    String(result.users),
    // For a contender that was stopped, percentiles of the arrived ones would say little.
    ...(result.stopped
      ? ['-', '-', '-', '-']
      : (['p99', 'p50', 'p95', 'last'] as const).map((name) =>
          duration(result.latenessMs?.[name]),
        )),
    result.stopped ? `${result.delivered} of ${result.users}` : String(result.delivered),
    String(result.duplicates),
    String(result.missing),
    String(result.early),
    duration(result.settledAfterMs),
    String(result.transactionsPerUser),
    result.sleeper === null ? '-' : String(result.sleeper.historyBytes),
  ]);
  return table(header, rows);
}
