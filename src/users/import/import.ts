/** Imports a file of users: checked row by row, stored in batches, reported line by line. */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { errorLine, isServerAway } from '../../platform/errors.ts';
import type { Orm } from '../../platform/database/orm.ts';
import type { DateSettings } from '../../time/occurrence.ts';
import type { TzDatabase } from '../../time/tz-database.ts';
import { statusOf } from '../occasion-status.ts';
import { type Batch, createBatches } from './batches.ts';
import { createRowCheck, type RefusedRow } from './check-row.ts';
import { createDateReader, type DateStyle } from './dates.ts';
import { type Deletion, deleteMissing } from './delete-missing.ts';
import { type OpenFile, type RowFault } from './file-rows.ts';
import { createLint, type LintFinding } from './lint.ts';
import { UnreadableFileError } from './lines.ts';
import { reasonOf } from './refused-rows.ts';
import { createSeenRows } from './seen-rows.ts';
import type { BatchResult } from './store-batch.ts';
import { type StoreContext, storeSafely } from './store-safely.ts';
import { addTo, noTally, type Tally } from './tally.ts';

export interface ImportOptions {
  readonly dates: DateStyle;
  /** For users without one in the file. */
  readonly timezone: string | null;
  /** Checks everything, and stores nothing. */
  readonly dryRun: boolean;
  /** Deletes users who are not in the file, at its end. */
  readonly sync: boolean;
  /** The most users to delete; null for a tenth of all. */
  readonly maxDeletes: number | null;
  /** Returns refused rows as lines of a file that can be corrected and imported again. */
  readonly returnsRows?: boolean;
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
  | {
      readonly type: 'refused';
      readonly line: number;
      readonly faults: readonly RowFault[];
      /** Only with `returnsRows`. */
      readonly row?: string;
    }
  /** The first line of a file of refused rows; only with `returnsRows`, and before all others. */
  | { readonly type: 'header'; readonly row: string }
  | ({
      readonly type: 'summary';
      readonly dryRun: boolean;
      /** Occasions of the file without a future occurrence. */
      readonly ended: number;
      readonly sync: Deletion | null;
      readonly ignoredColumns: readonly string[];
      readonly lint: readonly LintFinding[];
    } & Counts)
  /** The import has ended early. Everything that the last progress confirmed is stored. */
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export interface ImportContext extends StoreContext {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly tz: TzDatabase;
  /** The settings in force, of the installation or of an occasion type, for the summary. */
  readonly dateSettings: () => Promise<(type?: string) => DateSettings>;
  readonly traceparent?: (() => string | null) | undefined;
  /** Called between two batches with the duration of the last one, ms: makes way for other work. */
  readonly giveWay?: ((tookMs: number) => Promise<void>) | undefined;
  /** Called with the error that ended an import early. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** The longest that rows are checked without a pause: a bad recurrence rule alone takes some ms. */
const STRETCH_MS = 5;

export type Importer = ReturnType<typeof createImporter>;

export function createImporter(context: ImportContext) {
  return {
    /**
     * Imports a file and yields its progress and result, line by line. The next batch is read and
     * checked while PostgreSQL stores the previous one.
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
  const settingsOf = await context.dateSettings();
  const startedAt = await readClock(orm);
  const seen = createSeenRows();
  const lint = createLint({ seen, tz, now: clock(), localTime: settingsOf('birthday').localTime });
  const readDate = createDateReader(options.dates);
  const check = createRowCheck({ clock, tz, readDate, timezone: options.timezone }, file);
  const batches = createBatches(seen);
  const total = { rows: 0, refused: 0, users: noTally(), occasions: noTally() };
  const counts = (): Counts => structuredClone(total);
  let ended = 0;
  let hasUnknownRows = false;
  /** The duration of the last batch. */
  let tookMs = 0;
  /** Rows that may still be refused, by line, if they are to be returned. */
  const texts = new Map<number, string>();
  if (options.returnsRows) yield { type: 'header', row: file.refused.header };

  const refuse = function* (rows: readonly RefusedRow[]): Generator<ImportLine> {
    for (const { line, faults, userKeys, hasSwappedDate } of rows) {
      total.refused += 1;
      if (hasSwappedDate === true) lint.refuseSwapped(line);
      // Refused or not, the user is in the file.
      if (userKeys.length === 0) hasUnknownRows = true;
      for (const key of userKeys) seen.note(`in file ${key}`, '', line);
      const row = file.refused.rowOf(texts.get(line) ?? '', reasonOf(faults));
      yield { type: 'refused', line, faults, ...(options.returnsRows && { row }) };
    }
  };
  const finish = function* ({ batch, result }: StoredBatch): Generator<ImportLine> {
    addTo(total.users, result.users);
    addTo(total.occasions, result.occasions);
    for (const accepted of result.accepted) {
      lint.accept(accepted);
      for (const occasion of accepted.occasions) {
        const whole = { ...occasion, userId: accepted.user.id, user: accepted.user, ...NO_STAMPS };
        const status = statusOf(whole, settingsOf(occasion.type), clock(), tz);
        if (status === 'ended') ended += 1;
      }
    }
    yield* refuse(result.refused);
    for (const line of texts.keys()) {
      if (line > batch.line) break;
      texts.delete(line);
    }
    yield { type: 'progress', line: batch.line, bytes: batch.end, ...counts() };
  };
  const store = async (batch: Batch): Promise<StoredBatch> => {
    await context.giveWay?.(tookMs);
    const startedAt = performance.now();
    const terms = {
      now: clock(),
      tz,
      timezone: options.timezone,
      dryRun: options.dryRun,
      traceparent: context.traceparent?.() ?? null,
    };
    const result = await storeSafely(context, batch.groups, terms);
    tookMs = performance.now() - startedAt;
    return { batch, result };
  };

  const blocks = file.rows[Symbol.asyncIterator]();
  const readBlock = () => unawaited(blocks.next().then((read) => ({ read })));
  let reading = readBlock();
  let storing: Promise<StoredBatch> | null = null;
  try {
    for (;;) {
      // What is stored is confirmed at once, even if the next rows take long to arrive.
      const event = await Promise.race(storing === null ? [reading] : [storing, reading]);
      signal?.throwIfAborted();
      if ('result' in event) {
        storing = null;
        yield* finish(event);
        continue;
      }
      if (event.read.done === true) break;
      reading = readBlock();
      let since = performance.now();
      for (const row of event.read.value) {
        if (performance.now() - since > STRETCH_MS) {
          // Lets other requests run.
          await nextTurn();
          since = performance.now();
        }
        total.rows += 1;
        if (options.returnsRows) texts.set(row.line, row.text);
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
    // Not awaited: a client that sends nothing more would delay the response.
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

/** A promise that is awaited later, which reports its failure then. */
function unawaited<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

/** Fields that a status does not depend on. */
const NO_STAMPS = { createdAt: 0, updatedAt: 0, revision: 1 };

interface StoredBatch {
  readonly batch: Batch;
  readonly result: BatchResult;
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
      'Some refused rows do not say which users they are about. No users were deleted.';
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
    return { code: 'unavailable', message: `The database is down. ${again}` };
  return { code: 'failed', message: `${errorLine(error)}. ${again}` };
}
