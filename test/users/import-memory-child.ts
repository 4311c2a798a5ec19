/**
 * Imports in a process of its own, run with --expose-gc: it is sent a number of rows, imports a file
 * of so many through the API's app without storing them, and answers with the most memory that
 * was in use meanwhile, after garbage collection.
 */
import { pino } from 'pino';

import { createApp } from '../../src/api/app.ts';
import type { Api, ApiDeps } from '../../src/api/deps.ts';
import { createOperatorLog } from '../../src/operator-log/operator-log.ts';
import { connectOrm, type Orm } from '../../src/platform/database/orm.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { findDateSettings } from '../../src/planning/type-settings.ts';
import { createImporter } from '../../src/users/import/import.ts';
import { bundledTz } from '../support/tz-databases.ts';

export interface Question {
  readonly databaseUrl: string;
  readonly rows: number;
}

let orm: Orm | null = null;
process.on('message', async ({ databaseUrl, rows }: Question) => {
  orm ??= await connectOrm(databaseUrl);
  process.send?.(await peakOf(createImportApi(orm), rows));
});
process.on('disconnect', () => void orm?.close(true));
process.send?.('ready');

/** The API with no more than an import needs. */
function createImportApi(orm: Orm): Api {
  const dateSettings = findDateSettings(orm);
  const deps = {
    importer: createImporter({ orm, clock: Date.now, tz: bundledTz, dateSettings }),
    clock: Date.now,
    tz: bundledTz,
    dateSettings,
    operatorLog: createOperatorLog(orm),
    audit: {},
    forecast: {},
    apiKeys: [],
    maxPerSecond: 100,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    tracing: null,
  };
  return createApp(deps as unknown as ApiDeps);
}

/** So many samples of each file. */
const SAMPLES = 10;
const ROWS_A_CHUNK = 100;

async function peakOf(app: Api, rows: number): Promise<number> {
  let peak = 0;
  let nextSample = rows / SAMPLES;
  const body = new ReadableStream<Uint8Array>({
    pull: createSender(rows),
  });
  const request = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body, duplex: 'half' };
  const response = await app.request('/v1/imports?dryRun=true', request as RequestInit);
  let last = '';
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    last = text;
    const { type, line = 0 } = JSON.parse(text.trim().split('\n').at(-1) ?? '');
    if (type !== 'progress' || line < nextSample) continue;
    nextSample += rows / SAMPLES;
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external);
  }
  if (!last.includes('"type":"summary"')) throw new Error(last);
  return peak;
}

/** Writes a file as it is asked for: of a hundred rows, one breaks a rule, and one has an occasion. */
function createSender(rows: number) {
  const encoder = new TextEncoder();
  let sent = 0;
  return (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (sent === 0) {
      const header = 'externalId,firstName,lastName,dateOfBirth,timezone,occasionType,occasionDate';
      controller.enqueue(encoder.encode(`${header}\n`));
    }
    const lines = Array.from({ length: Math.min(ROWS_A_CHUNK, rows - sent) }, (_, at) => {
      const name = `Example ${sent + at}`;
      const date = at === 7 ? '1990-02-30' : '1990-12-10';
      const occasion = at === 8 ? 'anniversary,2015-06-20' : ',';
      return `crm-${sent + at},Ada,${name},${date},Europe/Berlin,${occasion}\n`;
    });
    controller.enqueue(encoder.encode(lines.join('')));
    sent += lines.length;
    if (sent >= rows) controller.close();
  };
}
