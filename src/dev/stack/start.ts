/** Everything that `npm run stack` starts, in its order. */
import { join } from 'node:path';

import type { ChildSpec } from '../child.ts';
import { freePorts } from '../free-ports.ts';
import { runMigration } from '../migration.ts';
import { findPorts, type Ports } from '../ports.ts';
import { prepareEmbeddedPostgres } from '../postgres/embedded.ts';
import { firstOnPath } from '../programs.ts';
import { prepareProductionTemporal, TEMPORAL_CONNECTIONS } from '../temporal/production.ts';
import { findProductionPrograms, findTemporalUi } from '../temporal/production-programs.ts';
import { prepareTemporalUi } from '../temporal/ui.ts';
import type { Place, StartContext } from '../run-supervised.ts';
import { serviceEnvironment, services, withoutSecrets } from '../services.ts';
import { keepWebhookSecret } from '../webhook-secret.ts';
import { stackBanner } from './banner.ts';
import { prebuildBundle } from './bundle.ts';
import { preparePrometheus } from './prometheus.ts';

/** Of Daybell's processes: one each, the migration, and as many again while they are replaced. */
const POOLS = 10;
/** Besides: readiness, and somebody's psql. */
const SPARE_CONNECTIONS = 50;

/** So many as PostgreSQL is told to take, for this size of the processes' pools. */
export function stackConnections(pool: number): number {
  return pool * POOLS + TEMPORAL_CONNECTIONS + SPARE_CONNECTIONS;
}

/** PostgreSQL, the production Temporal server and its Web UI, Daybell by process, Prometheus. */
export async function startStack(context: StartContext, place: Place): Promise<void> {
  const { settings, machine, terminal } = context;
  const { dataDir, supervisor, over } = place;
  const build = { ...machine, onProgress: terminal.say, signal: over };
  const programs = { ...(await findProductionPrograms(build)), ui: await findTemporalUi(build) };
  const prometheus = await firstOnPath('prometheus', machine.path);
  const ports = await stackPorts(context, prometheus !== null);

  const postgres = await prepareEmbeddedPostgres({
    dataDir,
    port: ports.postgres,
    connections: stackConnections(settings.DATABASE_POOL),
    path: machine.path,
    onProgress: terminal.say,
  });
  over.throwIfAborted();
  await supervisor.start([postgres.child]);
  await supervisor.start([
    await prepareProductionTemporal({
      programs,
      dataDir,
      postgresUrl: postgres.url,
      port: ports.temporal,
      httpPort: ports.temporalHttp,
      metricsPort: ports.temporalMetrics,
      onProgress: terminal.say,
    }),
  ]);

  const isSecretGiven = ports.receiver === null || settings.WEBHOOK_SECRETS !== undefined;
  const environment = {
    ...serviceEnvironment({
      environment: machine.environment,
      dataDir,
      ports,
      databaseUrl: postgres.url,
      webhookSecret: isSecretGiven ? null : await keepWebhookSecret(dataDir),
    }),
    WORKFLOW_BUNDLE: await prebuildBundle(join(dataDir, 'workflow-bundle.json'), over),
  };
  await runMigration(withoutSecrets(environment), terminal, over);
  const ui = await prepareTemporalUi({
    program: programs.ui,
    dataDir,
    port: ports.temporalUi,
    temporalAddress: `127.0.0.1:${ports.temporal}`,
  });
  await supervisor.start([
    ui,
    ...services(environment, ports),
    ...(await prometheusOf(prometheus, ports, dataDir)),
  ]);
  terminal.print(stackBanner({ settings, ports, dataDir }));
}

interface StackPorts extends Ports {
  readonly postgres: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly temporalHttp: number;
  readonly temporalMetrics: number;
}

async function stackPorts(
  { settings }: StartContext,
  withPrometheus: boolean,
): Promise<StackPorts> {
  const [temporalHttp = 0, temporalMetrics = 0, anyFree = 0] = await freePorts(3);
  // Of those that the system would give, the server cannot have the high ones.
  const TEMPORAL_DEV_PORT = settings.TEMPORAL_DEV_PORT || anyFree;
  const ports = await findPorts({ ...settings, TEMPORAL_DEV_PORT }, withPrometheus);
  const { postgres, temporal, temporalUi } = ports;
  if (postgres === null || temporal === null || temporalUi === null) {
    throw new Error('the stack runs all of its servers itself');
  }
  return { ...ports, postgres, temporal, temporalUi, temporalHttp, temporalMetrics };
}

async function prometheusOf(
  program: string | null,
  { prometheus: port, metrics, temporalMetrics }: StackPorts,
  dataDir: string,
): Promise<ChildSpec[]> {
  if (program === null || port === null || metrics === null) return [];
  const jobs = Object.entries({ ...metrics, temporal: temporalMetrics });
  return [await preparePrometheus({ program, dataDir, port, jobs })];
}
