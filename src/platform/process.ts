/** What the processes are assembled from. Each part stops with its process. */
import { Gauge } from 'prom-client';

import type { Logger } from './logger.ts';
import { createMetrics, type Registry } from './metrics.ts';
import { serveMetrics } from './metrics-server.ts';
import type { ReadinessCheck, ServiceContext } from './service.ts';
import type { Settings } from './settings/settings.ts';
import { checkDatabase, findInstallationId } from './database/health.ts';
import { connectOrm, type Orm } from './database/orm.ts';
import { connectTemporal } from './temporal/connection.ts';
import { createNamespaceGuard } from './temporal/namespace-guard.ts';

export interface FoundationOptions {
  /** Checks of /readyz beside the process's own. */
  readonly readiness?: (orm: Orm) => Promise<readonly ReadinessCheck[]>;
  /** A second page of metrics, in Prometheus's text format. */
  readonly moreMetrics?: (() => Promise<string>) | undefined;
}

/**
 * Traces, metrics and the database.
 *
 * @throws InvalidSettingsError, PortUnusableError
 */
export async function openFoundation(
  { name, settings, logger, readiness, fail, onStop }: ServiceContext,
  databaseUrl: string,
  { readiness: more, moreMetrics }: FoundationOptions = {},
) {
  const tracing = await openTracing(name, settings, logger);
  onStop(() => tracing?.stop());
  const metrics = createMetrics();
  const orm = await connectOrm(databaseUrl, {
    poolSize: settings.DATABASE_POOL,
    metrics,
    onRefused: fail,
  });
  // A database that is not to be used is refused before the process is ready, if it is there.
  await checkDatabase(orm);
  if (settings.METRICS_PORT !== undefined) {
    const state = {
      contentType: metrics.contentType,
      metrics: async () => (await Promise.all([metrics.metrics(), moreMetrics?.() ?? ''])).join(''),
      readiness: async () => [...readiness(), ...((await more?.(orm)) ?? [])],
    };
    const place = { host: settings.HOST, port: settings.METRICS_PORT };
    const server = await serveMetrics(state, place, logger);
    onStop(server.stop);
  }
  onStop(() => orm.close(true));
  return { tracing, metrics, orm };
}

/** Null when traces are off: then nothing of OpenTelemetry is loaded. */
async function openTracing(name: string, settings: Settings, logger: Logger) {
  if (settings.OTEL_TRACES_EXPORTER === 'none') return null;
  const { createTracing } = await import('./tracing.ts');
  return createTracing({
    service: `daybell-${name}`,
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    share: settings.OTEL_TRACES_SAMPLER_ARG,
    logger,
  });
}

/** Temporal, which may be away, and the guard of this installation's namespace. */
export function openTemporal({ settings, fail, onStop }: ServiceContext, orm: Orm) {
  const temporal = connectTemporal(settings);
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  guard.start();
  onStop(async () => {
    void guard.stop();
    await temporal.close();
  });
  return { ...temporal, guard };
}

/** Says in the log and in the metrics which tz database decides dates. */
export function reportTzVersion(
  { settings, logger }: ServiceContext,
  metrics: Registry,
  version: string,
): void {
  logger.info({ tzVersion: version, from: settings.ZONE_DATA }, 'tz database');
  const registers = [metrics];
  new Gauge({
    name: 'daybell_tz_database_info',
    help: 'The version of the tz database in use; always 1.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  const [, year] = /^(\d{4})[a-z]/.exec(version) ?? [];
  if (year === undefined) return;
  new Gauge({
    name: 'daybell_tz_database_release_year',
    help: 'The year of the release of the tz database in use.',
    registers,
  }).set(Number(year));
}
