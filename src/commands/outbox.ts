/**
 * `npm run outbox`: events that were set aside, and how to put them back. In the database at
 * DATABASE_URL, or else in the embedded one, which has to run. Exit code 0 when it is done, 1
 * when it cannot be, 64 for arguments that say nothing, 78 for settings.
 */
import { InvalidSettingsError, loadSettings, type Settings } from '../config/settings.ts';
import { readEmbeddedDatabaseUrl } from '../dev/postgres/embedded.ts';
import { errorCode } from '../observability/connection-errors.ts';
import { connectOrm } from '../persistence/orm.ts';
import { createOutboxDesk } from '../persistence/outbox-desk.ts';
import type { OutboxDesk } from '../users/outbox.ts';
import { EXIT } from './exit.ts';
import { describeOutbox } from './outbox-list.ts';

const USAGE = `npm run outbox -- list                  the subscribers, and what was set aside
npm run outbox -- retry <id> …          lets these events wait to be relayed again
npm run outbox -- retry --all           … all that were set aside
npm run outbox -- unsubscribe <name>    keeps no events for this subscriber any more
`;
/** As much as somebody reads; `retry --all` takes all. */
const LISTED = 200;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const work = workOf(args);
  if (work === null) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  try {
    process.stdout.write(await withDesk(await databaseUrl(loadSettings()), work));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message || errorCode(error)}\n`);
    return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
  }
}

type Work = (desk: OutboxDesk) => Promise<string>;

function workOf([command = 'list', ...rest]: readonly string[]): Work | null {
  if (command === 'list' && rest.length === 0) return list;
  if (command === 'retry' && rest.length === 1 && rest[0] === '--all') return retry('all');
  if (command === 'retry' && rest.length > 0 && rest.every((id) => /^\d{1,18}$/.test(id))) {
    return retry(rest);
  }
  const [name] = rest;
  if (command === 'unsubscribe' && name !== undefined && rest.length === 1) {
    return unsubscribe(name);
  }
  return null;
}

async function list(desk: OutboxDesk): Promise<string> {
  return describeOutbox(await desk.subscribers(), await desk.setAside(LISTED));
}

function retry(ids: readonly string[] | 'all'): Work {
  return async (desk) => {
    const count = await desk.putBack(ids);
    const others = ids === 'all' ? 0 : new Set(ids).size - count;
    const rest = others === 0 ? '' : `; ${others} not: no such event is set aside`;
    return `${count} put back, to be relayed again${rest}\n`;
  };
}

function unsubscribe(name: string): Work {
  return async (desk) => {
    const dropped = await desk.unsubscribe(name);
    if (dropped === null) throw new Error(`There is no subscriber "${name}".`);
    return `${name} is unsubscribed; ${dropped} of its events were dropped\n`;
  };
}

async function withDesk(url: string, work: Work): Promise<string> {
  const orm = await connectOrm(url, { poolSize: 1 });
  try {
    return await work(createOutboxDesk(orm));
  } finally {
    await orm.close(true);
  }
}

async function databaseUrl({ DATABASE_URL, DATA_DIR, POSTGRES_DEV_PORT }: Settings) {
  return DATABASE_URL ?? readEmbeddedDatabaseUrl(DATA_DIR, POSTGRES_DEV_PORT);
}
