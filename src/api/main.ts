/**
 * The process `api`: the HTTP API on a socket. Only metrics ask Temporal, and no request waits for
 * it.
 */
import { availableParallelism } from 'node:os';

import { startAuditWatch } from '../audit/watch.ts';
import { requireKeysBeyondLoopback, requireSettings } from '../platform/settings/settings.ts';
import { openWebhookTester } from '../delivery/webhook-test.ts';
import { createErasure } from '../erasure/erasure.ts';
import { createDeliveryControl } from '../ledger/delivery-control.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { createOccurrenceReader } from '../ledger/occurrence-reader.ts';
import { createRedelivery } from '../ledger/redelivery.ts';
import { shared } from '../platform/async.ts';
import { listen } from '../platform/http-server.ts';
import { runService, type ServiceContext } from '../platform/service.ts';
import { checkDatabase, findActiveSeconds } from '../platform/database/health.ts';
import type { Orm } from '../platform/database/orm.ts';
import { presentRules, readRules } from '../planning/rules.ts';
import { openFoundation, openTemporal, reportTzVersion } from '../platform/process.ts';
import { createReconcileState } from '../reconcile/state.ts';
import { countPollers, type WorkKind } from '../platform/temporal/worker-versions.ts';
import { createOutboxState } from '../users/outbox.ts';
import { createUserStore } from '../users/user-store.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { createApp } from './app.ts';
import { createRequestMetrics } from './metrics.ts';
import { childChecks, type ChildStates, childStatesOf, databaseChecks } from './readiness.ts';
import { exportState } from './state-metrics.ts';

await runService('api', startApi);

async function startApi(context: ServiceContext): Promise<void> {
  const { logger, onStop } = context;
  const settings = requireKeysBeyondLoopback(requireSettings(context.settings, 'DATABASE_URL'));
  const webhookTester =
    settings.WEBHOOK_URL === undefined
      ? null
      : openWebhookTester(requireSettings(settings, 'WEBHOOK_URL', 'WEBHOOK_SECRETS'), Date.now);
  onStop(() => webhookTester?.close());
  let children: ChildStates | null = null;
  process.on('message', (message) => {
    children = childStatesOf(message) ?? children;
  });
  const tz = loadTzDatabase(settings.ZONE_DATA);

  const checks = async (orm: Orm) => {
    const database = databaseChecks(await checkDatabase(orm));
    return process.connected ? [...database, ...childChecks(children)] : database;
  };
  const { tracing, metrics, orm } = await openFoundation(context, settings.DATABASE_URL, {
    readiness: checks,
  });
  reportTzVersion(context, metrics, tz.version);
  const { client, taskQueue } = openTemporal(context, orm);
  const deliveries = createDeliveryControl(orm, { lateLimitMs: settings.LATE_LIMIT });
  const state = {
    ledger: createLedgerState(orm, { lateAfterMs: settings.LATE_AFTER }),
    deliveries,
    outbox: createOutboxState(orm),
    reconciler: createReconcileState(orm),
    findErasures: () => createErasure(orm).findState(settings.ERASE_AFTER),
    countPollers: (kind: WorkKind) => countPollers(client, taskQueue, kind),
    database: {
      activeSeconds: () => findActiveSeconds(orm),
      cores: settings.DATABASE_CORES ?? availableParallelism(),
    },
  };
  exportState(metrics, state, logger);
  /** Ends what reads all users early. */
  const stopping = new AbortController();
  const { signal } = stopping;
  const clock = Date.now;
  const audit = {
    orm,
    tz,
    limits: {
      lateAfterMs: settings.LATE_AFTER,
      lateLimitMs: settings.LATE_LIMIT,
      giveUpAfterMs: settings.GIVE_UP_AFTER,
    },
    clock,
    signal,
  };
  const app = createApp({
    users: createUserStore(orm, tracing?.active),
    occurrences: createOccurrenceReader(orm, { lateAfterMs: settings.LATE_AFTER, tz }),
    redelivery: createRedelivery(orm),
    clock,
    tz,
    dateSettings: async () => presentRules(await readRules(orm.em.fork())),
    deliveries,
    audit,
    forecast: { orm, tz, clock, signal },
    webhookTester,
    apiKeys: settings.API_KEYS ?? [],
    maxPerSecond: settings.API_MAX_PER_SECOND,
    readiness: shared(() => checks(orm)),
    logger,
    ...(settings.METRICS_PORT === undefined && { metrics }),
    observeRequest: createRequestMetrics(metrics),
    tracing,
  });
  const auditWatch = startAuditWatch(audit, metrics, logger);
  onStop(auditWatch.stop);
  onStop(() => stopping.abort());
  const server = await listen(app, { host: settings.HOST, port: settings.PORT, setting: 'PORT' });
  onStop(server.stop);
  logger.info({ url: server.url }, 'listening');
}
