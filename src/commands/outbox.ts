/**
 * `npm run outbox`: events that could not be planned, and how to have them tried again. In the
 * database at DATABASE_URL, or else in the embedded one, which has to run. Exit code 0 when it is
 * done, 1 when it cannot be, 64 for arguments that are none, 78 for settings.
 */
import { InvalidSettingsError, loadSettings, type Settings } from '../config/settings.ts';
import { readEmbeddedDatabaseUrl } from '../dev/postgres/embedded.ts';
import { errorCode } from '../observability/connection-errors.ts';
import { connectOrm, type Orm } from '../persistence/orm.ts';
import { createOutboxState } from '../users/outbox.ts';
import { createOutboxAdmin } from '../users/outbox-admin.ts';
import { EXIT } from './exit.ts';
import { describeOutbox } from './outbox-list.ts';

const USAGE = `npm run outbox -- list             what waits, and what is parked
npm run outbox -- retry <id> …     lets these events be planned again
npm run outbox -- retry --all      … all that are parked
`;
/** As much as one person reads; `retry --all` takes all. */
const LISTED = 200;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const work = workOf(args);
  if (work === null) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  try {
    process.stdout.write(await onDatabase(await databaseUrl(loadSettings()), work));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message || errorCode(error)}\n`);
    return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
  }
}

type Work = (orm: Orm) => Promise<string>;

function workOf([command = 'list', ...rest]: readonly string[]): Work | null {
  if (command === 'list' && rest.length === 0) return list;
  if (command === 'retry' && rest.length === 1 && rest[0] === '--all') return retry('all');
  if (command === 'retry' && rest.length > 0 && rest.every((id) => /^\d{1,18}$/.test(id))) {
    return retry(rest);
  }
  return null;
}

async function list(orm: Orm): Promise<string> {
  const backlog = await createOutboxState(orm).backlog();
  return describeOutbox(backlog, await createOutboxAdmin(orm).listParked(LISTED));
}

function retry(ids: readonly string[] | 'all'): Work {
  return async (orm) => {
    const count = await createOutboxAdmin(orm).retry(ids);
    const others = ids === 'all' ? 0 : new Set(ids).size - count;
    const rest = others === 0 ? '' : `; ${others} not: no such event is parked`;
    return `${count} will be planned again${rest}\n`;
  };
}

async function onDatabase(url: string, work: Work): Promise<string> {
  const orm = await connectOrm(url, { poolSize: 1 });
  try {
    return await work(orm);
  } finally {
    await orm.close(true);
  }
}

async function databaseUrl({ DATABASE_URL, DATA_DIR, POSTGRES_DEV_PORT }: Settings) {
  return DATABASE_URL ?? readEmbeddedDatabaseUrl(DATA_DIR, POSTGRES_DEV_PORT);
}
