import type { SetAsideEntry, SubscriberProgress } from '../users/outbox.ts';

/** The outbox in lines for a terminal. */
export function describeOutbox(
  subscribers: readonly SubscriberProgress[],
  setAside: readonly SetAsideEntry[],
): string {
  const all = subscribers.reduce((sum, subscriber) => sum + subscriber.setAside, 0);
  const more = all > setAside.length ? [`… and ${all - setAside.length} more`] : [];
  return [
    ...table([
      ['subscriber', 'waiting', 'oldest', 'set aside'],
      ...subscribers.map(({ name, length, oldestAgeMs, setAside }) => [
        name,
        String(length),
        length === 0 ? '-' : `${Math.round(oldestAgeMs / 1000)} s`,
        String(setAside),
      ]),
    ]),
    '',
    ...(setAside.length === 0 ? ['nothing is set aside'] : table([HEAD, ...setAside.map(rowOf)])),
    ...more,
    '',
  ].join('\n');
}

const HEAD = ['id', 'subscriber', 'event', 'user', 'revision', 'since', 'failures', 'why'];

function rowOf(entry: SetAsideEntry): string[] {
  const { id, subscriber, type, userId, revision, setAsideAt, failures, error } = entry;
  const since = new Date(setAsideAt).toISOString().replace(/\.\d+Z/, 'Z');
  return [id, subscriber, type, userId, `${revision}`, since, `${failures}`, readable(error)];
}

/** Of what some other service said: one line of it, and nothing that steers a terminal. */
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
