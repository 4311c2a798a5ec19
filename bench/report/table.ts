import { distributionOf } from '../support/statistics.ts';

/** Formats rows as a table for the terminal; numbers are right-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [
    line(header),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

/** Such as `870 ms`, `2.61 s` or `4:05 min`; a dash for nothing. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '-';
  const rounded = Math.abs(ms) < 10 ? ms.toFixed(1) : String(Math.round(ms));
  if (Math.abs(ms) < 1_000) return `${rounded} ms`;
  if (Math.abs(ms) < 100_000) return `${(ms / 1_000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`;
}

/** Such as `385 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** Median, p95 and maximum of times in ms, and the ratio of the median to that of other times. */
export function ratioRow(
  what: string,
  times: readonly number[] = [],
  to: readonly number[] = [],
): string[] {
  const { p50, p95, last } = distributionOf(times) ?? { p50: NaN, p95: NaN, last: NaN };
  const ratio = p50 / (distributionOf(to)?.p50 ?? NaN);
  return [what, duration(p50), duration(p95), duration(last), ratio.toFixed(2)];
}
