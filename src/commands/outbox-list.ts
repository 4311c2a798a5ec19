import type { OutboxBacklog } from '../users/outbox.ts';
import type { ParkedEntry } from '../users/outbox-admin.ts';

/** The outbox in lines for a terminal. */
export function describeOutbox(backlog: OutboxBacklog, parked: readonly ParkedEntry[]): string {
  const { length, oldestAgeMs } = backlog;
  const oldest = length === 0 ? '' : `, the oldest for ${Math.round(oldestAgeMs / 1000)} s`;
  const hidden = backlog.parked - parked.length;
  return [
    `${length} waiting${oldest}; ${backlog.parked} parked`,
    ...(parked.length === 0 ? [] : ['', ...table([HEAD, ...parked.map(rowOf)])]),
    ...(hidden > 0 ? [`… and ${hidden} more`] : []),
    '',
  ].join('\n');
}

const HEAD = ['id', 'event', 'user', 'revision', 'since', 'failures', 'why'];

function rowOf(entry: ParkedEntry): string[] {
  const { id, type, userId, revision, parkedAt, failures, error } = entry;
  const since = new Date(parkedAt).toISOString().replace(/\.\d+Z/, 'Z');
  return [id, type, userId, `${revision}`, since, `${failures}`, readable(error)];
}

/** One line of what went wrong, and nothing that steers a terminal. */
function readable(error: string | null): string {
  return (error ?? '').replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 200);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
