/** Amounts in the form of a dashboard. */
/**
 * @param unit Grafana's: `s`, `bytes`, `percentunit`, or anything else for a plain number
 */
export function amount(value: number | undefined, unit = 'short'): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  if (unit === 's') return value < 1 ? `${plain(value * 1_000)} ms` : `${plain(value)} s`;
  if (unit === 'bytes') return `${plain(value / 1e6)} MB`;
  if (unit === 'percentunit') return `${plain(value * 100)} %`;
  return plain(value);
}

/** Two significant digits, and every digit before the point. */
function plain(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 10 ? 0 : size >= 1 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en');
}
