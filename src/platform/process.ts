/** The parts that processes are assembled from. Each part stops with its process. */
import { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';

import { waitFor } from './async.ts';
import { describeError } from './errors.ts';
import { listen } from './http-server.ts';
import { createMetrics, createPoolMetrics, metricsOn, type Registry } from './metrics.ts';
import { createProbes, createReadiness, type ReadinessCheck } from './probes.ts';
import type { ServiceContext } from './service.ts';
import { checkDatabase, requireDatabase } from './database/health.ts';
import { connectOrm, type Orm } from './database/orm.ts';
import { DatabaseUnusableError, whyUnusable } from './database/unusable.ts';

export interface FoundationOptions {
  /** Checks of /readyz besides the process's own and the database's. */
  readonly checks?: () => readonly ReadinessCheck[] | Promise<readonly ReadinessCheck[]>;
  /** A second page of metrics, in Prometheus's text format. */
  readonly moreMetrics?: (() => Promise<string>) | undefined;
  /** How many of its connections are reserved for background work; 0 by default. */
  readonly inBackground?: number;
}

export type Foundation = Awaited<ReturnType<typeof openFoundation>>;

/**
 * Opens traces, metrics and the database, which may be down: see `whenDatabaseIsUsable`.
 *
 * @throws InvalidSettingsError, PortUnusableError
 */
export async function openFoundation(
  context: ServiceContext,
  databaseUrl: string,
  { checks = () => [], moreMetrics, inBackground = 0 }: FoundationOptions = {},
) {
  const { settings, fail: onRefused, onStop } = context;
  const tracing = await openTracing(context);
  onStop(() => tracing?.stop());
  const metrics = createMetrics();
  const watchPool = createPoolMetrics(metrics, settings.DATABASE_POOL);
  const connect = (poolSize: number) =>
    connectOrm(databaseUrl, { poolSize: Math.max(poolSize, 1), watchPool, onRefused });
  const kept = Math.min(inBackground, Math.floor(settings.DATABASE_POOL / 2));
  const orm = await connect(settings.DATABASE_POOL - kept);
  const backgroundOrm = inBackground === 0 ? orm : await connect(kept);
  const readiness = createReadiness(
    async () => [...context.checks(), ...(await checkDatabase(orm)), ...(await checks())],
    context.logger,
  );
  const probes = createProbes(readiness);
  await serveMetrics(context, probes, metrics, moreMetrics);
  onStop(() => Promise.all([orm.close(true), backgroundOrm.close(true)]));
  return { tracing, metrics, orm, backgroundOrm, readiness, probes };
}

/** Reads from the database as soon as it is usable: no process is ready before that. */
export function whenDatabaseIsUsable<Result>(
  { logger }: ServiceContext,
  orm: Orm,
  read: () => Promise<Result>,
): Promise<Result> {
  const attempt = async (): Promise<Result> => {
    try {
      await requireDatabase(orm);
      return await read();
    } catch (error) {
      const why = whyUnusable(error);
      throw why === null ? error : new DatabaseUnusableError(why, { cause: error });
    }
  };
  return waitFor('the database', attempt, logger);
}

/** Null when traces are off: then nothing of OpenTelemetry is loaded. */
async function openTracing({ name, settings, logger }: ServiceContext) {
  if (settings.OTEL_TRACES_EXPORTER === 'none') return null;
  const { createTracing } = await import('./tracing.ts');
  return createTracing({
    service: `daybell-${name}`,
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    share: settings.OTEL_TRACES_SAMPLER_ARG,
    logger,
  });
}

/**
 * Serves /metrics, /healthz and /readyz on METRICS_PORT, if it is set. Without keys: nothing here
 * is personal, and nothing can be changed.
 */
async function serveMetrics(
  { settings, logger, onStop }: ServiceContext,
  probes: Hono,
  metrics: Registry,
  moreMetrics: FoundationOptions['moreMetrics'],
): Promise<void> {
  const { HOST: host, METRICS_PORT: port, HTTP_KEEP_ALIVE: keepAliveMs } = settings;
  if (port === undefined) return;
  const app = new Hono();
  app.use(methodNotAllowed({ app }));
  app.get('/metrics', async (c) => {
    const pages = await Promise.all([metrics.metrics(), moreMetrics?.() ?? '']);
    return c.body(pages.join(''), 200, { 'content-type': metrics.contentType });
  });
  app.route('/', probes);
  app.onError((error, c) => {
    logger.error({ error: describeError(error) }, 'cannot answer on the metrics port');
    return c.body(null, 500);
  });
  const server = await listen(app, { host, port, setting: 'METRICS_PORT', keepAliveMs });
  logger.info({ url: `${server.url}/metrics` }, 'metrics');
  onStop(server.stop);
}

/** Reports in the log and in the metrics which tz database decides dates. */
export function reportTzVersion(
  { settings, logger }: ServiceContext,
  metrics: Registry,
  version: string,
): void {
  logger.info({ tzVersion: version, from: settings.ZONE_DATA }, 'tz database');
  const { gauge } = metricsOn(metrics);
  gauge('daybell_tz_database_info', 'The version of the tz database in use; always 1.', [
    'version',
  ]).set({ version }, 1);
  const [, year] = /^(\d{4})[a-z]/.exec(version) ?? [];
  if (year === undefined) return;
  const help = 'The year of the release of the tz database in use.';
  gauge('daybell_tz_database_release_year', help).set(Number(year));
}
