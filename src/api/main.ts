/** The process `api`. Only metrics query Temporal; no request waits for it. */
import { Hono } from 'hono';
import { z } from 'zod';

import { startAuditWatch } from '../audit/watch.ts';
import { UPLOAD_PATH } from '../console/app.ts';
import {
  requireKeysBeyondLoopback,
  requireSecretsForUrl,
  requireSettings,
  type Settings,
} from '../platform/settings/settings.ts';
import { openWebhookTester, type WebhookTester } from '../delivery/webhook-test.ts';
import { createDeliveryControl } from '../ledger/delivery-control.ts';
import { createOccurrenceReader } from '../ledger/occurrence-reader.ts';
import { createOccasionTypes } from '../occasion-types/occasion-types.ts';
import { createFailures } from '../ledger/failures.ts';
import { createRedelivery } from '../ledger/redelivery.ts';
import { createOperatorLog } from '../operator-log/operator-log.ts';
import { createRetryNow } from '../ledger/retry-now.ts';
import { describeError } from '../platform/errors.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { listen, type Served } from '../platform/http-server.ts';
import { type ReadinessCheck, readinessCheck } from '../platform/probes.ts';
import { runService, type ServiceContext } from '../platform/service.ts';
import { openDateSettings } from '../planning/date-settings.ts';
import { stampSlowRequests } from '../planning/pace/requests-first.ts';
import { findDateSettings } from '../planning/type-settings.ts';
import { openFoundation } from '../platform/process.ts';
import { secretFingerprint } from '../platform/settings/webhook-secrets.ts';
import { openTemporal } from '../platform/temporal/open-temporal.ts';
import { loadStandardSettings } from '../platform/temporal/standard-settings.ts';
import { countPollers, type WorkKind } from '../platform/temporal/worker-versions.ts';
import { createOccasions } from '../users/occasions.ts';
import { createExport } from '../users/export/export.ts';
import { createImporter } from '../users/import/import.ts';
import { createFindPeople } from '../ledger/people.ts';
import { createInputHistory } from '../users/input-history.ts';
import { createUsers } from '../users/users.ts';
import { createApp } from './app.ts';
import type { ApiEnv } from './deps.ts';
import { DATABASE_AWAY } from './errors.ts';
import { sendProblem } from './problem.ts';
import { createRequestWatch, createSlowRequestsLoop } from './request-watch.ts';
import { EXPORT_PATH } from './routes/export.ts';
import { IMPORTS_PATH } from './routes/imports.ts';
import { exportState } from './state-metrics.ts';

/** What a supervisor sends: the states of the processes that it runs. */
const ChildrenMessage = z.object({
  type: z.literal('children'),
  children: z.record(z.string(), z.enum(['starting', 'ready', 'down'])),
});

/** Connections for imports, exports, audits and forecasts, which hold them for long. */
const IN_BACKGROUND = 4;

/** Routes whose bodies or answers are files. */
const STREAMS = new Set([IMPORTS_PATH, EXPORT_PATH, UPLOAD_PATH]);

await runService(
  'api',
  startApi,
  (settings) => requireSettings(settings, 'DATABASE_URL'),
  requireKeysBeyondLoopback,
  requireSecretsForUrl,
  loadStandardSettings,
);

async function startApi(context: ServiceContext): Promise<void> {
  const { logger, onStop } = context;
  const settings = requireKeysBeyondLoopback(requireSettings(context.settings, 'DATABASE_URL'));
  const webhookTesters = openWebhookTesters(settings, Date.now);
  onStop(() => {
    for (const tester of webhookTesters.values()) tester.close();
  });
  const checkChildren = watchChildren();
  const foundation = await openFoundation(context, settings.DATABASE_URL, {
    checks: () => (process.connected ? checkChildren() : []),
    inBackground: IN_BACKGROUND,
  });
  const { tracing, metrics, orm, backgroundOrm, readiness, probes } = foundation;
  // Alive from the first moment, even if the database comes later.
  const waiting = new Hono<ApiEnv>().route('/', probes);
  waiting.all('*', (c) => sendProblem(c, DATABASE_AWAY));
  let serving: Served = waiting;
  const { HOST: host, PORT: port, HTTP_KEEP_ALIVE: keepAliveMs } = settings;
  const server = await listen(
    { fetch: (request, env) => serving.fetch(request, env) },
    { host, port, setting: 'PORT', keepAliveMs, streams: STREAMS },
  );

  const { tz, limits } = await openDateSettings(context, { metrics, orm });
  const { client, taskQueue, namespace } = openTemporal(context, orm);
  const ofQueue = (kind: WorkKind) => countPollers(client, taskQueue, kind);
  const deliveries = createDeliveryControl(orm, limits);
  exportState(
    metrics,
    {
      orm,
      deliveries,
      settings: { ...settings, ...limits },
      countPollers: ofQueue,
    },
    logger,
  );
  /** Aborts reads over all users when the process stops. */
  const stopping = new AbortController();
  const { signal } = stopping;
  const clock = Date.now;
  const audit = {
    orm: backgroundOrm,
    tz,
    limits,
    clock,
    signal,
  };
  const auditWatch = startAuditWatch(audit, metrics, logger);
  const dateSettings = findDateSettings(orm);
  const requests = createRequestWatch();
  const slowRequests = createSlowRequestsLoop(
    requests,
    stampSlowRequests(backgroundOrm),
    metrics,
    logger,
  );
  slowRequests.start();
  onStop(slowRequests.stop);
  serving = createApp({
    orm,
    users: createUsers(orm, { clock, tz, traceparent: tracing?.active }),
    findInputHistory: createInputHistory(orm, tz),
    occasions: createOccasions(orm, { traceparent: tracing?.active }),
    importer: createImporter({
      orm: backgroundOrm,
      clock,
      tz,
      dateSettings,
      traceparent: tracing?.active,
      signal,
      giveWay: requests.giveWay,
      onError: (error) => logger.warn({ error: describeError(error) }, 'an import ended early'),
    }),
    exportUsers: createExport(backgroundOrm),
    occurrences: createOccurrenceReader(orm, { ...limits, tz }),
    findPeople: createFindPeople(orm),
    redelivery: createRedelivery(orm),
    retryNow: createRetryNow(orm),
    failures: createFailures(orm),
    clock,
    tz,
    dateSettings,
    deliveries,
    occasionTypes: createOccasionTypes(orm),
    operatorLog: createOperatorLog(orm),
    audit,
    lastAudit: auditWatch.last,
    countPollers: ofQueue,
    forecast: { orm: backgroundOrm, tz, clock, signal },
    webhookTesters,
    secretFingerprints: fingerprintsOf(settings),
    apiKeys: settings.API_KEYS ?? [],
    maxPerSecond: settings.API_MAX_PER_SECOND,
    readiness,
    logger,
    metrics,
    requests,
    servesMetrics: settings.METRICS_PORT === undefined,
    tracing,
    temporalUi: workflowsUrl(settings, namespace),
  });
  onStop(auditWatch.stop);
  onStop(() => stopping.abort());
  onStop(server.stop);
  logger.info({ url: server.url }, 'listening');
}

/**
 * The address of a workflow in Temporal's Web UI, without its id; Temporal Cloud's has the same
 * form.
 */
function workflowsUrl({ TEMPORAL_UI_URL }: Settings, namespace: string): string | null {
  if (TEMPORAL_UI_URL === undefined) return null;
  const base = TEMPORAL_UI_URL.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows/`;
}

/** One for each configured destination. */
function openWebhookTesters(settings: Settings, clock: () => number) {
  const testers = new Map<string, WebhookTester>();
  for (const [name, own] of destinationsOf(settings)) {
    if (own.WEBHOOK_URL === undefined) continue;
    const given = requireSettings({ ...settings, ...own }, 'WEBHOOK_URL', 'WEBHOOK_SECRETS');
    testers.set(name, openWebhookTester(given, clock, name));
  }
  return testers;
}

function destinationsOf({ WEBHOOK_URL, WEBHOOK_SECRETS, DESTINATIONS }: Settings) {
  return new Map<string, Pick<Settings, 'WEBHOOK_URL' | 'WEBHOOK_SECRETS'>>([
    [DEFAULT_DESTINATION, { WEBHOOK_URL, WEBHOOK_SECRETS }],
    ...DESTINATIONS,
  ]);
}

function fingerprintsOf(settings: Settings): ReadonlyMap<string, readonly string[]> {
  const all = [...destinationsOf(settings)];
  return new Map(
    all.map(([name, { WEBHOOK_SECRETS = [] }]) => [name, WEBHOOK_SECRETS.map(secretFingerprint)]),
  );
}

/** A check for each supervised process; a single one until the supervisor has reported. */
function watchChildren(): () => ReadinessCheck[] {
  let checks = [readinessCheck('processes', false, 'starting')];
  process.on('message', (message) => {
    const { data } = ChildrenMessage.safeParse(message);
    if (data === undefined) return;
    checks = Object.entries(data.children).map(([name, state]) =>
      readinessCheck(name, state === 'ready', state),
    );
  });
  return () => checks;
}
