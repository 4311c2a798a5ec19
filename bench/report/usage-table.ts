import type { MeterReport } from '../support/meter.ts';
import { duration, megabytes, table } from './table.ts';

/** CPU seconds of each process in each stage, transactions, and peak memory. */
export function usageTable(title: string, usage: MeterReport): string {
  const names = Object.keys(usage.cpuSeconds).filter((name) => (usage.cpuSeconds[name] ?? 0) > 0);
  const header = [`${title}: CPU s`, 'took', ...names, 'transactions'];
  const stages = usage.stages.map(({ stage, durationMs, cpuSeconds, transactions }) => [
    stage,
    duration(durationMs),
    ...names.map((name) => (cpuSeconds[name] ?? 0).toFixed(1)),
    String(Object.values(transactions).reduce((sum, count) => sum + count, 0)),
  ]);
  const total = names.map((name) => (usage.cpuSeconds[name] ?? 0).toFixed(1));
  const memory = names.map((name) => megabytes(usage.peakMemoryBytes[name] ?? 0));
  return table(header, [...stages, ['all', '', ...total], ['peak memory', '', ...memory]]);
}
