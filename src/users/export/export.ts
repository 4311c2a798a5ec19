/** Exports everything that users consist of, in the form that an import accepts. */
import type { SqlEntityManager } from '@mikro-orm/postgresql';

import { csvCell } from '../../platform/csv.ts';
import type { Orm } from '../../platform/database/orm.ts';
import type { OccasionFields } from '../occasion.ts';
import { OCCASION_COLUMNS, USER_COLUMNS } from '../import/columns.ts';
import { OCCASION_FIELDS, USER_FIELDS } from '../import/batch-sql.ts';
import type { UserFields } from '../user.ts';
import type { StoredOccasion, StoredUser } from '../import/decide.ts';

export type ExportFormat = 'csv' | 'ndjson';

export interface ExportedUser extends UserFields {
  readonly userId: string;
  readonly occasions: readonly (OccasionFields & { readonly occasionId: string })[];
}

/** The users of one statement; memory holds at most two such pages per client. */
const PAGE_USERS = 500;
/**
 * A caller who reads nothing for this long counts as gone: the snapshot keeps old rows in the
 * database.
 */
const STALLED_AFTER_MS = 60_000;
/** A transaction that is idle for longer is ended. */
const ASK_EVERY_MS = 5_000;

export type ExportUsers = ReturnType<typeof createExport>;

/** Returns all users in one snapshot, as the text of a file, some hundreds at a time. */
export function createExport(orm: Orm) {
  return (format: ExportFormat) => exportUsers(orm, format);
}

async function* exportUsers(orm: Orm, format: ExportFormat): AsyncGenerator<string, undefined> {
  const em = orm.em.fork();
  await em.begin({ isolationLevel: 'repeatable read', readOnly: true });
  try {
    if (format === 'csv') yield `${[...USER_COLUMNS, ...OCCASION_COLUMNS].join(',')}\r\n`;
    for await (const page of readPages(em)) {
      const text = page.map(format === 'csv' ? csvOf : jsonOf).join('');
      yield* keepingAlive(em, text);
    }
  } finally {
    await em.rollback();
  }
}

/**
 * Yields a text; until it is consumed, queries keep the transaction from being idle for too long.
 */
async function* keepingAlive(
  em: SqlEntityManager,
  text: string,
): AsyncGenerator<string, undefined> {
  const since = performance.now();
  let asking: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    if (performance.now() - since > STALLED_AFTER_MS) clearInterval(timer);
    else asking = asking.then(() => em.execute('select 1')).catch(() => {});
  }, ASK_EVERY_MS);
  try {
    yield text;
  } finally {
    clearInterval(timer);
    await asking;
  }
}

async function* readPages(em: SqlEntityManager): AsyncGenerator<ExportedUser[], undefined> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const users = await em.execute<StoredUser[]>(PAGE, { after, limit: PAGE_USERS });
    const last = users.at(-1);
    if (last === undefined) return;
    const ids = JSON.stringify(users.map(({ id }) => id));
    const occasions = await em.execute<StoredOccasion[]>(OCCASIONS, { ids });
    const ofUser = Map.groupBy(occasions, ({ userId }) => userId);
    yield users.map((user) => exported(user, ofUser.get(user.id) ?? []));
    after = last.id;
  }
}

function exported(user: StoredUser, occasions: readonly StoredOccasion[]): ExportedUser {
  const { id: userId, ...fields } = user;
  return {
    userId,
    ...fields,
    occasions: occasions.map((occasion) => {
      const { id: occasionId, userId: _userId, ...others } = occasion;
      return Object.assign({ occasionId }, others);
    }),
  };
}

const PAGE = `
  select ${USER_FIELDS} from users.users as u
  where u.id > :after::uuid order by u.id limit :limit::int`;

const OCCASIONS = `
  select ${OCCASION_FIELDS} from users.occasions as o
  where o.user_id = any (array(select value::uuid from jsonb_array_elements_text(:ids::jsonb)))
  order by o.user_id, o.id`;

function jsonOf(user: ExportedUser): string {
  return `${JSON.stringify(user)}\n`;
}

/** A row for each occasion, or one for a user without any. */
function csvOf({ occasions, ...user }: ExportedUser): string {
  const own: Readonly<Record<string, unknown>> = user;
  const rows: readonly object[] = occasions.length === 0 ? [{}] : occasions;
  return rows
    .map((row) => {
      const occasion = row as Readonly<Record<string, unknown>>;
      const cells = [
        ...USER_COLUMNS.map((column) => own[column]),
        ...OCCASION_COLUMNS.map((column) => occasion[occasionField(column)]),
      ];
      return `${cells.map(cellOf).join(',')}\r\n`;
    })
    .join('');
}

function occasionField(column: string): string {
  if (column === 'occasionId') return column;
  return `${column.charAt(8).toLowerCase()}${column.slice(9)}`;
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return csvCell(typeof value === 'string' ? value : JSON.stringify(value));
}
