/**
 * `npm run outbox`: lists events that could not be planned, and retries them. In the database at
 * DATABASE_URL, or else in the embedded one, which has to run. Exit code 0 when it is done, 1 when
 * it cannot be, 64 for wrong arguments, 78 for settings.
 */
import { loadSettings } from '../platform/settings/settings.ts';
import { readEmbeddedDatabaseUrl } from '../platform/database/embedded-database.ts';
import { connectOrm, type Orm } from '../platform/database/orm.ts';
import { createOutboxAdmin, type ParkedEntry } from '../users/outbox.ts';
import { CommandError, EXIT, runCommand } from './command.ts';

const USAGE = `npm run outbox -- list             what waits, and what is parked
npm run outbox -- retry <id> …     lets these events be planned again
npm run outbox -- retry --all      … all that are parked`;
/** As much as one person reads; `retry --all` takes all. */
const LISTED = 200;
const HEAD = 'id  event  user  revision  since  failures  why';

type Work = (orm: Orm) => Promise<string>;

await runCommand(async () => {
  const work = workOf(process.argv.slice(2));
  if (work === null) throw new CommandError(USAGE, EXIT.usage);
  const { DATABASE_URL, DATA_DIR, POSTGRES_DEV_PORT } = loadSettings();
  const url = DATABASE_URL ?? (await readEmbeddedDatabaseUrl(DATA_DIR, POSTGRES_DEV_PORT));
  const orm = await connectOrm(url, { poolSize: 1 });
  try {
    return await work(orm);
  } finally {
    await orm.close(true);
  }
});

function workOf([command = 'list', ...rest]: readonly string[]): Work | null {
  if (command === 'list' && rest.length === 0) return list;
  if (command === 'retry' && rest.length === 1 && rest[0] === '--all') return retry('all');
  if (command === 'retry' && rest.length > 0 && rest.every((id) => /^\d{1,18}$/.test(id))) {
    return retry(rest);
  }
  return null;
}

function retry(ids: readonly string[] | 'all'): Work {
  return async (orm) => {
    const count = await createOutboxAdmin(orm).retry(ids);
    const others = ids === 'all' ? 0 : new Set(ids).size - count;
    const rest = others === 0 ? '' : `; ${others} not: no such event is parked`;
    return `${count} will be planned again${rest}\n`;
  };
}

async function list(orm: Orm): Promise<string> {
  const { length, oldestAgeMs, parked: count } = await createOutboxAdmin(orm).backlog();
  const parked = await createOutboxAdmin(orm).listParked(LISTED);
  const oldest = length === 0 ? '' : `, the oldest for ${Math.round(oldestAgeMs / 1000)} s`;
  const hidden = count - parked.length;
  return [
    `${length} waiting${oldest}; ${count} parked`,
    ...(parked.length === 0 ? [] : ['', HEAD, ...parked.map(lineOf)]),
    ...(hidden > 0 ? [`… and ${hidden} more`] : []),
    '',
  ].join('\n');
}

/** Not padded: events and ids of users each have a fixed length. */
function lineOf({ id, type, userId, revision, parkedAt, failures, error }: ParkedEntry): string {
  const since = new Date(parkedAt).toISOString().replace(/\.\d+Z/, 'Z');
  // On one line, and without characters that control a terminal.
  const why = (error ?? '').replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 200);
  return [id, type, userId, revision, since, failures, why].join('  ');
}
