/** The import of a file of users: checked row by row, stored in batches, answered line by line. */
import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode, errorLine, isServerAway } from '../../platform/errors.ts';
import { retryConflicts } from '../../platform/database/conflicts.ts';
import type { Orm } from '../../platform/database/orm.ts';
import type { DateSettings } from '../../time/occurrence.ts';
import type { TzDatabase } from '../../time/tz-database.ts';
import { statusOf } from '../occasion-status.ts';
import { type CheckedRow, createRowCheck, type RefusedRow, userKeyOf } from './check-row.ts';
import { createDateReader, type DateStyle } from './dates.ts';
import type { UserGroup } from './decide.ts';
import { type Deletion, deleteMissing } from './delete-missing.ts';
import { type OpenFile, type RowFault } from './file-rows.ts';
import { createLint, type LintFinding } from './lint.ts';
import { UnreadableFileError } from './lines.ts';
import { createSeenRows } from './seen-rows.ts';
import { type BatchResult, storeBatch, type Tally } from './store-batch.ts';

export interface ImportOptions {
  readonly dates: DateStyle;
  /** Of users for whom the file has none. */
  readonly timezone: string | null;
  /** Everything is checked, and nothing is stored. */
  readonly dryRun: boolean;
  /** Users who are not in the file are deleted at its end. */
  readonly sync: boolean;
  /** How many may be; null for a tenth of all. */
  readonly maxDeletes: number | null;
}

export interface Counts {
  /** Rows of the file, refused ones included. */
  readonly rows: number;
  readonly refused: number;
  readonly users: Readonly<Tally>;
  readonly occasions: Readonly<Tally>;
}

export type ImportLine =
  /** Everything up to this line of the file is stored, or was refused. */
  | ({ readonly type: 'progress'; readonly line: number; readonly bytes: number } & Counts)
  | { readonly type: 'refused'; readonly line: number; readonly faults: readonly RowFault[] }
  | ({
      readonly type: 'summary';
      readonly dryRun: boolean;
      /** Occasions of the file that have no occurrence to come. */
      readonly ended: number;
      readonly sync: Deletion | null;
      readonly ignoredColumns: readonly string[];
      readonly lint: readonly LintFinding[];
    } & Counts)
  /** The import has ended early. What the last progress has confirmed is stored. */
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export interface ImportContext {
  readonly orm: Orm;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
  /** Those in force, for what is said of occasions and in the summary. */
  readonly dateSettings: () => Promise<() => DateSettings>;
  readonly traceparent?: (() => string | null) | undefined;
  /** Ends an import early. */
  readonly signal?: AbortSignal | undefined;
  /** Called with what has ended an import early. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** In one transaction: its locks are held for a fraction of a second. */
const BATCH_USERS = 500;
const BATCH_OCCASIONS = 2_000;
/** A database that is away for a moment, as in a failover, ends no import. */
const AWAY_TRIES = 30;
const AWAY_PAUSE_MS = 2_000;

export type Importer = ReturnType<typeof createImporter>;

export function createImporter(context: ImportContext) {
  return {
    /**
     * Imports a file and returns, line by line, what becomes of it. The next batch is read and checked
     * while PostgreSQL stores the one before.
     */
    run: (file: OpenFile, options: ImportOptions) => importFile(file, options, context),
  };
}

async function* importFile(
  file: OpenFile,
  options: ImportOptions,
  context: ImportContext,
): AsyncGenerator<ImportLine, undefined> {
  try {
    yield* importRows(file, options, context);
  } catch (error) {
    context.onError?.(error);
    yield { type: 'error', ...describeEnd(error, context.signal) };
  }
}

async function* importRows(
  file: OpenFile,
  options: ImportOptions,
  context: ImportContext,
): AsyncGenerator<ImportLine, undefined> {
  const { orm, tz, clock, signal } = context;
  const settings = (await context.dateSettings())();
  const startedAt = await readClock(orm);
  const seen = createSeenRows();
  const lint = createLint({ seen, tz, now: clock(), localTime: settings.localTime });
  const readDate = createDateReader(options.dates);
  const check = createRowCheck({ clock, tz, readDate, timezone: options.timezone }, file);
  const batches = createBatches(seen);
  const total = { rows: 0, refused: 0, users: noTally(), occasions: noTally() };
  const counts = (): Counts => structuredClone(total);
  let ended = 0;
  let hasUnknownRows = false;

  const refuse = function* (rows: readonly RefusedRow[]): Generator<ImportLine> {
    for (const { line, faults, userKey, hasSwappedDate } of rows) {
      total.refused += 1;
      if (hasSwappedDate === true) lint.refuseSwapped(line);
      // Refused or not, the user is in the file.
      if (userKey === null) hasUnknownRows = true;
      else seen.note(`in file ${userKey}`, '', line);
      yield { type: 'refused', line, faults };
    }
  };
  const finish = function* ({ batch, result }: StoredBatch): Generator<ImportLine> {
    add(total.users, result.users);
    add(total.occasions, result.occasions);
    for (const accepted of result.accepted) {
      lint.accept(accepted);
      for (const occasion of accepted.occasions) {
        const whole = { ...occasion, userId: accepted.user.id, user: accepted.user, ...NO_STAMPS };
        if (statusOf(whole, settings, clock(), tz) === 'ended') ended += 1;
      }
    }
    yield* refuse(result.refused);
    yield { type: 'progress', line: batch.line, bytes: batch.end, ...counts() };
  };
  const store = async (batch: Batch): Promise<StoredBatch> => {
    const terms = {
      now: clock(),
      tz,
      timezone: options.timezone,
      dryRun: options.dryRun,
      traceparent: context.traceparent?.() ?? null,
    };
    return { batch, result: await storeSafely(orm, batch.groups, terms) };
  };

  const blocks = file.rows[Symbol.asyncIterator]();
  const readBlock = () => unawaited(blocks.next().then((read) => ({ read })));
  let reading = readBlock();
  let storing: Promise<StoredBatch> | null = null;
  try {
    for (;;) {
      // What is stored is confirmed at once, however long the next rows take to come.
      const event = await Promise.race(storing === null ? [reading] : [storing, reading]);
      signal?.throwIfAborted();
      if ('result' in event) {
        storing = null;
        yield* finish(event);
        continue;
      }
      if (event.read.done === true) break;
      reading = readBlock();
      for (const row of event.read.value) {
        total.rows += 1;
        const checked = check(row);
        const refused = 'faults' in checked ? checked : batches.add(checked);
        if (refused !== null) yield* refuse([refused]);
        batches.pass(row.line, row.end);
        if (!batches.isFull()) continue;
        if (storing !== null) yield* finish(await storing);
        storing = unawaited(store(batches.take()));
      }
    }
  } finally {
    // Not awaited: a client that sends nothing more would hold up the answer.
    blocks.return?.()?.catch(() => {});
  }
  if (storing !== null) yield* finish(await storing);
  yield* finish(await store(batches.take()));
  const has = (key: string): boolean => seen.has(`in file ${key}`) || seen.has(`user ${key}`);
  const sync = options.sync
    ? await endSync(orm, { ...options, startedAt, has, hasUnknownRows, context })
    : null;
  yield {
    type: 'summary',
    dryRun: options.dryRun,
    ...counts(),
    ended,
    sync,
    ignoredColumns: file.ignoredColumns,
    lint: lint.findings(),
  };
}

/** A promise that may be awaited later: its failure is reported there. */
function unawaited<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

/** What a status does not depend on. */
const NO_STAMPS = { createdAt: 0, updatedAt: 0, revision: 1 };

interface StoredBatch {
  readonly batch: Batch;
  readonly result: BatchResult;
}

interface Batch {
  readonly groups: readonly UserGroup[];
  /** The last line and byte of the file that it confirms. */
  readonly line: number;
  readonly end: number;
}

/** Collects rows into batches, those of one user together. */
function createBatches(seen: ReturnType<typeof createSeenRows>) {
  let groups = new Map<string, UserGroup & { readonly rows: CheckedRow[] }>();
  let occasions = 0;
  let line = 0;
  let end = 0;
  return {
    /** Returns why a row is refused that does not agree with those before it. */
    add(row: CheckedRow): RefusedRow | null {
      const key = userKeyOf(row.user) ?? '';
      const before = seen.note(`user ${key}`, JSON.stringify(row.user), row.line);
      const refuse = (field: string, rule: string): RefusedRow => ({
        line: row.line,
        faults: [{ field, rule }],
        userKey: key,
      });
      if (before !== null && !before.isSame) {
        const field = row.user.externalId === null ? 'userId' : 'externalId';
        return refuse(
          field,
          `is that of line ${before.line}, which says something else of the user`,
        );
      }
      const fresh = [];
      for (const occasion of row.occasions) {
        const { id, type, externalId, nameOf } = occasion;
        const name = id ?? externalId;
        const content = JSON.stringify(occasion.fields);
        const same = seen.note(`occasion ${key} ${type} ${name ?? ''}`, content, row.line);
        if (same === null) fresh.push(occasion);
        else if (!same.isSame) {
          const rule =
            name === null
              ? `is required: line ${same.line} has another occasion of type ${type} of the user`
              : `is that of line ${same.line}, which says something else of the occasion`;
          return refuse(nameOf('externalId'), rule);
        }
      }
      const group = groups.get(key) ?? { key, user: row.user, rows: [], isFirst: before === null };
      group.rows.push({ ...row, occasions: fresh });
      groups.set(key, group);
      occasions += fresh.length;
      return null;
    },
    /** A row has been read, and was added or refused. */
    pass(toLine: number, toByte: number): void {
      line = toLine;
      end = toByte;
    },
    isFull: (): boolean => groups.size >= BATCH_USERS || occasions >= BATCH_OCCASIONS,
    take(): Batch {
      const batch = { groups: [...groups.values()], line, end };
      groups = new Map();
      occasions = 0;
      return batch;
    },
  };
}

type StoreTerms = Parameters<typeof storeBatch>[2];

/** A batch that cannot be stored is stored one by one: who cannot be stored holds up nobody. */
async function storeSafely(
  orm: Orm,
  groups: readonly UserGroup[],
  terms: StoreTerms,
): Promise<BatchResult> {
  if (groups.length === 0) {
    return { users: noTally(), occasions: noTally(), refused: [], accepted: [] };
  }
  try {
    return await whileAway(() =>
      retryConflicts(() => orm.em.fork().transactional((em) => storeBatch(em, groups, terms))),
    );
  } catch (error) {
    // Integrity and data of rows (classes 22 and 23 of SQLSTATE): everything else is nobody's.
    if (!/^2[23]/.test(errorCode(error))) throw error;
    const [only] = groups;
    if (groups.length === 1 && only !== undefined) return refuseAll(only, errorCode(error));
    const results = { users: noTally(), occasions: noTally() };
    const refused: RefusedRow[] = [];
    const accepted: BatchResult['accepted'][number][] = [];
    for (const group of groups) {
      const result = await storeSafely(orm, [group], terms);
      add(results.users, result.users);
      add(results.occasions, result.occasions);
      refused.push(...result.refused);
      accepted.push(...result.accepted);
    }
    return { ...results, refused, accepted };
  }
}

function refuseAll(group: UserGroup, code: string): BatchResult {
  const faults = [
    {
      field: 'line',
      rule: `cannot be stored (${code}): another request may have been in the way; send it again`,
    },
  ];
  const refused = group.rows.map(({ line }) => ({ line, faults, userKey: group.key }));
  return { users: noTally(), occasions: noTally(), refused, accepted: [] };
}

async function whileAway<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === AWAY_TRIES || !isServerAway(error)) throw error;
      await sleep(AWAY_PAUSE_MS);
    }
  }
}

interface SyncEnd extends ImportOptions {
  readonly startedAt: number;
  readonly has: (key: string) => boolean;
  readonly hasUnknownRows: boolean;
  readonly context: ImportContext;
}

async function endSync(orm: Orm, end: SyncEnd): Promise<Deletion> {
  if (end.hasUnknownRows) {
    const refused =
      'Of some refused rows it cannot be told whom they are about. Nobody was deleted.';
    return { missing: 0, deleted: 0, refused };
  }
  const { has, startedAt, maxDeletes: most, dryRun } = end;
  const traceparent = end.context.traceparent?.() ?? null;
  return deleteMissing(orm, { has, startedAt, most, dryRun, traceparent });
}

async function readClock(orm: Orm): Promise<number> {
  const [row] = await orm.em
    .fork()
    .execute<{ now: number }[]>('select (extract(epoch from users.clock()) * 1000)::float8 as now');
  return row?.now ?? 0;
}

function describeEnd(error: unknown, signal: AbortSignal | undefined) {
  const again = 'Everything up to the last progress is stored; send the file again.';
  if (signal?.aborted === true)
    return { code: 'stopping', message: `The API is stopping. ${again}` };
  if (error instanceof UnreadableFileError)
    return { code: 'unreadable-file', message: error.message };
  if (isServerAway(error))
    return { code: 'unavailable', message: `The database is away. ${again}` };
  return { code: 'failed', message: `${errorLine(error)}. ${again}` };
}

function noTally(): Tally {
  return { created: 0, updated: 0, unchanged: 0 };
}

function add(total: Tally, more: Tally): void {
  total.created += more.created;
  total.updated += more.updated;
  total.unchanged += more.unchanged;
}
