/**
 * Imports in a process of its own, run with --expose-gc: it is sent a number of rows, imports a file
 * of so many by the API or by the console without storing them, and answers with the most memory
 * that was in use meanwhile, after garbage collection.
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
  readonly by: 'API' | 'console';
}

let orm: Orm | null = null;
process.on('message', async ({ databaseUrl, rows, by }: Question) => {
  orm ??= await connectOrm(databaseUrl);
  process.send?.(await peakOf(createImportApi(orm), rows, by));
});
process.on('disconnect', () => void orm?.close(true));
process.send?.('ready');

/** The API with only what an import needs. */
function createImportApi(orm: Orm): Api {
  const dateSettings = findDateSettings(orm);
  const deps = {
    importer: createImporter({ orm, clock: Date.now, tz: bundledTz, dateSettings }),
    clock: Date.now,
    tz: bundledTz,
    dateSettings,
    operatorLog: createOperatorLog(orm),
    audit: { limits: {} },
    forecast: {},
    apiKeys: [],
    maxPerSecond: 100,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    tracing: null,
  };
  return createApp(deps as unknown as ApiDeps);
}

/** This many samples of each file. */
const SAMPLES = 10;
const ROWS_A_CHUNK = 100;

async function peakOf(app: Api, rows: number, by: Question['by']): Promise<number> {
  let peak = 0;
  let nextSample = rows / SAMPLES;
  const noteSent = (sent: number): void => {
    if (sent < nextSample) return;
    nextSample += rows / SAMPLES;
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external);
  };
  const response =
    by === 'API'
      ? await app.request('/v1/imports?dryRun=true', post('text/csv', rows, noteSent))
      : await sendForm(app, rows, noteSent);
  let last = '';
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    last = (last + text).slice(-5_000);
  }
  if (!/"type":"summary"|Import it with these options/.test(last)) throw new Error(last);
  return peak;
}

type NoteSent = (rows: number) => void;

function post(type: string, rows: number, noteSent: NoteSent, [begin, end] = ['', '']) {
  const body = new ReadableStream<Uint8Array>({
    pull: createSender(rows, noteSent, begin, end),
  });
  return {
    method: 'POST',
    headers: { 'Content-Type': type } as Record<string, string>,
    body,
    duplex: 'half' as const,
  };
}

const part = (name: string, content: string): string =>
  `--boundary\r\nContent-Disposition: form-data; name=${name}\r\n\r\n${content}`;

/** As a browser does, with the token of the page. */
async function sendForm(app: Api, rows: number, noteSent: NoteSent): Promise<Response> {
  const page = await app.request('http://localhost/console/import');
  const [, token = ''] = /name="csrf" value="([^"]+)"/.exec(await page.text()) ?? [];
  const begin = part('"csrf"', `${token}\r\n`) + part('"file"; filename="people.csv"', '');
  const form = post('multipart/form-data; boundary=boundary', rows, noteSent, [
    begin,
    '\r\n--boundary--\r\n',
  ]);
  const [cookie = ''] = page.headers.get('Set-Cookie')?.split(';') ?? [];
  return app.request('http://localhost/console/import', {
    ...form,
    headers: { ...form.headers, Cookie: cookie },
  });
}

/** Generates a file on demand: of a hundred rows, one breaks a rule, and one has an occasion. */
function createSender(rows: number, noteSent: NoteSent, begin: string, end: string) {
  const encoder = new TextEncoder();
  let sent = 0;
  return (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (sent === 0) {
      const header = 'externalId,firstName,lastName,dateOfBirth,timezone,occasionType,occasionDate';
      controller.enqueue(encoder.encode(`${begin}${header}\n`));
    }
    const lines = Array.from({ length: Math.min(ROWS_A_CHUNK, rows - sent) }, (_, at) => {
      const name = `Example ${sent + at}`;
      const date = at === 7 ? '1990-02-30' : '1990-12-10';
      const occasion = at === 8 ? 'anniversary,2015-06-20' : ',';
      return `crm-${sent + at},Ada,${name},${date},Europe/Berlin,${occasion}\n`;
    });
    controller.enqueue(encoder.encode(lines.join('')));
    sent += lines.length;
    noteSent(sent);
    if (sent < rows) return;
    controller.enqueue(encoder.encode(end));
    controller.close();
  };
}
