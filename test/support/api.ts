import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';

import { createApp } from '../../src/api/app.ts';
import type { Api, ApiDeps } from '../../src/api/deps.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { findDateSettings } from '../../src/planning/type-settings.ts';
import { createReadiness, type ReadinessCheck } from '../../src/platform/probes.ts';
import { createDeliveryControl } from '../../src/ledger/delivery-control.ts';
import { createOccurrenceReader } from '../../src/ledger/occurrence-reader.ts';
import { createOccasionTypes } from '../../src/occasion-types/occasion-types.ts';
import { createFailures } from '../../src/ledger/failures.ts';
import { createOperatorLog } from '../../src/operator-log/operator-log.ts';
import { createRedelivery } from '../../src/ledger/redelivery.ts';
import { createRetryNow } from '../../src/ledger/retry-now.ts';
import { createOccasions } from '../../src/users/occasions.ts';
import { createExport } from '../../src/users/export/export.ts';
import { createImporter } from '../../src/users/import/import.ts';
import { createFindPeople } from '../../src/ledger/people.ts';
import { createInputHistory } from '../../src/users/input-history.ts';
import { createUsers } from '../../src/users/users.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { bundledTz } from './tz-databases.ts';

export interface TestApi {
  readonly app: Api;
  readonly database: TestDatabase;
  /** The log, a parsed line each. */
  readonly logged: Record<string, unknown>[];
  /** Sends JSON, or no body. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** The number of rows in each table that a write of a user touches. */
  counts(): Promise<Record<string, number>>;
  sql<Row>(query: string, params?: unknown[]): Promise<Row[]>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // The shape is what a test is about.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface TestApiOptions extends Partial<ApiDeps> {
  /** The checks of /readyz; none by default. */
  readonly checks?: () => Promise<readonly ReadinessCheck[]>;
}

/** The API on a database of its own. */
export async function createTestApi({
  checks = async () => [],
  ...overrides
}: TestApiOptions = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const { orm } = database;
  const logged: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const { clock = Date.now, tz = bundledTz } = overrides;
  const dateSettings = findDateSettings(orm);
  const app = createApp({
    orm,
    users: createUsers(orm, { clock, tz, traceparent: overrides.tracing?.active }),
    findInputHistory: createInputHistory(orm, tz),
    occasions: createOccasions(orm, { traceparent: overrides.tracing?.active }),
    importer: createImporter({ orm, clock, tz, dateSettings }),
    exportUsers: createExport(orm),
    occurrences: createOccurrenceReader(orm, { lateAfterMs: 5 * 60_000, tz }),
    findPeople: createFindPeople(orm),
    redelivery: createRedelivery(orm),
    retryNow: createRetryNow(orm),
    failures: createFailures(orm),
    clock,
    tz,
    dateSettings,
    occasionTypes: createOccasionTypes(orm),
    operatorLog: createOperatorLog(orm),
    deliveries: createDeliveryControl(orm, { lateAfterMs: 300_000, lateLimitMs: 48 * 3_600_000 }),
    audit: {
      orm,
      tz: bundledTz,
      limits: {
        lateAfterMs: 5 * 60_000,
        lateLimitMs: 48 * 3_600_000,
        giveUpAfterMs: 72 * 3_600_000,
      },
      clock,
    },
    lastAudit: () => null,
    countPollers: async () => 1,
    forecast: {
      orm,
      tz: bundledTz,
      clock,
    },
    webhookTesters: new Map(),
    secretFingerprints: new Map(),
    apiKeys: [],
    maxPerSecond: 100,
    readiness: createReadiness(checks, logger),
    logger,
    metrics: createMetrics(),
    servesMetrics: true,
    tracing: null,
    temporalUi: null,
    ...overrides,
  });
  const sql = <Row>(query: string, params: unknown[] = []): Promise<Row[]> =>
    orm.em.fork().execute(query, params) as Promise<Row[]>;
  return {
    app,
    database,
    logged,
    sql,
    async send(method, path, body, headers = {}) {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
      return readAnswer(
        await app.request(path, { method, headers: { ...type, ...headers }, ...sent }),
      );
    },
    async counts() {
      const [row] = await sql<Record<string, number>>(`select
        (select count(*)::int from users.users) as users,
        (select count(*)::int from users.history) as history,
        (select count(*)::int from users.outbox) as outbox,
        (select count(*)::int from users.idempotency_keys) as keys`);
      return row ?? {};
    },
  };
}

/** The same, for all tests of a file. Registers the hooks of the file that calls it. */
export function useTestApi(options: TestApiOptions = {}): TestApi {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi(options);
  });
  afterAll(() => api.database.drop());
  return {
    get app() {
      return api.app;
    },
    get database() {
      return api.database;
    },
    get logged() {
      return api.logged;
    },
    send: (...request) => api.send(...request),
    counts: () => api.counts(),
    sql: (query, parameters) => api.sql(query, parameters),
  };
}

/** A response with its body read: parsed if it is JSON, null if there is none. */
export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  const body = text === '' ? null : isJson ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, body };
}

/** A user that breaks no rule. */
export const ADA = {
  firstName: 'Ada',
  lastName: 'Lovelace',
  dateOfBirth: '1990-12-10',
  timezone: 'Europe/London',
} as const;
