/** Imports whose database goes down while a batch is being stored. */
import { PassThrough } from 'node:stream';

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';

import { findDateSettings } from '../../src/planning/type-settings.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { openFile } from '../../src/users/import/file-rows.ts';
import { createImporter, type ImportLine } from '../../src/users/import/import.ts';
import { useTestApi } from '../support/api.ts';
import { type Link, startLink } from '../support/link.ts';
import { bundledTz } from '../support/tz-databases.ts';

const api = useTestApi();
beforeEach(() => api.sql('truncate users.users, users.history, users.outbox cascade'));

const HEADER = 'externalId,firstName,dateOfBirth,timezone\n';
const rows = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, at) => `u${from + at},Ada,1990-12-10,UTC\n`).join('');
/** A batch has 500 users: the first two are complete, the third has the rest. */
const FILE = { rows: 1_200, batch: 500 };
const OPTIONS = {
  dates: { format: null, pivot: null },
  timezone: null,
  dryRun: false,
  sync: false,
  maxDeletes: null,
};

interface Terms {
  readonly awayForMs?: number;
  readonly signal?: AbortSignal;
}

/** An import over a link to the database, whose first batch is confirmed by now. */
async function beginImport(terms: Terms = {}) {
  const url = new URL(api.database.url);
  const link = await startLink('database', Number(url.port));
  url.port = String(link.port);
  const orm = await connectOrm(url.href);
  onTestFinished(async () => {
    await orm.close(true);
    link.close();
  });
  const body = new PassThrough();
  body.write(HEADER + rows(0, FILE.batch));
  const file = await openFile(body, {
    format: 'csv',
    charset: null,
    delimiter: null,
    map: new Map(),
  });
  const dateSettings = findDateSettings(orm);
  const importer = createImporter({ orm, clock: Date.now, tz: bundledTz, dateSettings, ...terms });
  const lines = importer.run(file, OPTIONS);
  const { value: first } = await lines.next();
  expect(first).toMatchObject({ type: 'progress', users: { created: FILE.batch } });
  // From now on it continues by itself, as in the API.
  const rest = readAll(lines);
  rest.catch(() => {});
  return { link, body, rest };
}

/** Delays the second batch: an open transaction inserts one of its users, and is rolled back. */
async function blockUser(externalId: string) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: blocks, resolve: blocked } = Promise.withResolvers<void>();
  const ended = api.database.orm.em.fork().transactional(async (em) => {
    await em.execute(
      `insert into users.users (id, external_id, first_name, last_name, date_of_birth, timezone,
         revision, created_at, updated_at, inputs_changed_at)
       values (gen_random_uuid(), ?, 'Ada', '', '1990-12-10', 'UTC', 1, now(), now(), now())`,
      [externalId],
    );
    blocked();
    await released;
    throw new Error('rolled back');
  });
  await Promise.race([blocks, ended]);
  return async () => {
    release();
    await expect(ended).rejects.toThrow('rolled back');
  };
}

const waiting = () =>
  api.sql(`select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`);

/** Sends the rest of the file, and cuts the link while the second batch waits for the database. */
async function shutInTheMiddle({ body, link }: { body: PassThrough; link: Link }): Promise<void> {
  const unblock = await blockUser('u700');
  body.end(rows(FILE.batch, FILE.rows));
  await expect.poll(waiting).toHaveLength(1);
  link.shut();
  await unblock();
}

async function readAll(lines: AsyncIterable<ImportLine>): Promise<ImportLine[]> {
  const all: ImportLine[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

async function importAgain(): Promise<unknown> {
  const response = await api.app.request('/v1/imports', {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
    body: HEADER + rows(0, FILE.rows),
  });
  return JSON.parse((await response.text()).trim().split('\n').at(-1) ?? '');
}

describe('a database that goes down in the middle of an import', () => {
  test('and returns soon ends nothing: every row is stored, once', async () => {
    const importing = await beginImport();
    await shutInTheMiddle(importing);
    importing.link.open();
    const lines = await importing.rest;
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      rows: FILE.rows,
      refused: 0,
      users: { created: FILE.rows, updated: 0, unchanged: 0 },
    });
    const count = FILE.rows;
    expect(await api.counts()).toMatchObject({ users: count, history: count, outbox: count });
  });

  test('and stays down ends it with an error; the file can be sent again', async () => {
    const importing = await beginImport({ awayForMs: 0 });
    await shutInTheMiddle(importing);
    const lines = await importing.rest;
    expect(lines).toEqual([
      {
        type: 'error',
        code: 'unavailable',
        message:
          'The database is down. Everything up to the last progress is stored; send the file again.',
      },
    ]);
    const confirmed = FILE.batch;
    expect(await api.counts()).toMatchObject({ users: confirmed, outbox: confirmed });

    expect(await importAgain()).toMatchObject({
      type: 'summary',
      refused: 0,
      users: { created: FILE.rows - confirmed, updated: 0, unchanged: confirmed },
    });
    const count = FILE.rows;
    expect(await api.counts()).toMatchObject({ users: count, history: count, outbox: count });
  });

  test('but has only lost its response to the commit, stores nothing twice', async () => {
    const { link, body, rest } = await beginImport();
    await api.sql(`
      create or replace function users.wait_at_commit() returns trigger language plpgsql as
        $$begin perform pg_advisory_xact_lock_shared(7); return null; end$$;
      create constraint trigger waits_at_commit after insert on users.users
        deferrable initially deferred for each row when (new.external_id = 'u700')
        execute function users.wait_at_commit()`);
    onTestFinished(async () => {
      await api.sql('drop function users.wait_at_commit cascade');
    });
    await api.database.orm.em.fork().transactional(async (em) => {
      await em.execute('select pg_advisory_xact_lock(7)');
      body.end(rows(FILE.batch, FILE.rows));
      await expect.poll(waiting).toHaveLength(1);
      link.cut();
    });
    const [last] = (await rest).slice(-1);
    // The second batch is found to be stored.
    expect(last).toMatchObject({
      type: 'summary',
      refused: 0,
      users: { created: FILE.rows - FILE.batch, updated: 0, unchanged: FILE.batch },
    });
    const count = FILE.rows;
    expect(await api.counts()).toMatchObject({ users: count, history: count, outbox: count });
  });

  test('does not delay an API that stops', async () => {
    const stopping = new AbortController();
    // Longer than the test may take.
    const importing = await beginImport({ awayForMs: 3_600_000, signal: stopping.signal });
    await shutInTheMiddle(importing);
    stopping.abort();
    expect(await importing.rest).toMatchObject([{ type: 'error', code: 'stopping' }]);
  });
});
