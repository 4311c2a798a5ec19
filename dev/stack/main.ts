/** `npm run stack`: runs what docker-compose.temporal.yml does, natively, with one command. */
import { banner } from '../banner.ts';
import { runInForeground, type Startup } from '../foreground.ts';
import { findPorts, freePorts } from '../ports.ts';
import { prepareEmbeddedPostgres } from '../postgres/embedded.ts';
import { firstOnPath } from '../programs.ts';
import { prepareServices } from '../services.ts';
import { prepareProductionTemporal } from '../temporal/production.ts';
import { findProductionPrograms, findTemporalUi } from '../temporal/production-programs.ts';
import { prepareTemporalUi } from '../temporal/ui.ts';
import { preparePrometheus, type ScrapeJob } from './prometheus.ts';
import { createRoles, keepRolePasswords } from './roles.ts';
import { readTemporalNodes, stackConnections, stackSettings } from './settings.ts';

await runInForeground(startStack, stackSettings);

/** Starts PostgreSQL, the production Temporal server and its Web UI, Daybell by process, Prometheus. */
async function startStack(startup: Startup): Promise<void> {
  const { settings, machine, terminal, dataDir, supervisor, signal } = startup;
  const nodes = readTemporalNodes(process.argv.slice(2));
  const onProgress = terminal.say;
  const build = { ...machine, onProgress, signal };
  const programs = await findProductionPrograms(build);
  const uiProgram = await findTemporalUi(build);
  const prometheus = await firstOnPath('prometheus', machine.path);
  const [anyPort = 0] = await freePorts(1);
  // The production server cannot use the high ports that the system may choose for 0.
  const TEMPORAL_DEV_PORT = settings.TEMPORAL_DEV_PORT || anyPort;
  const ports = await findPorts({ ...settings, TEMPORAL_DEV_PORT }, prometheus !== null);
  const { postgres: postgresPort, temporalUi: uiPort } = ports;
  if (postgresPort === null || uiPort === null) throw new Error('the stack has its own servers');

  const postgres = await prepareEmbeddedPostgres({
    dataDir,
    port: postgresPort,
    connections: stackConnections(settings.DATABASE_POOL, nodes),
    onProgress,
  });
  signal.throwIfAborted();
  await supervisor.start([postgres.child]);
  const urls = await createRoles(postgres.url, await keepRolePasswords(dataDir));
  const temporal = await prepareProductionTemporal({
    programs,
    dataDir,
    postgresUrl: postgres.url,
    port: TEMPORAL_DEV_PORT,
    nodes,
    hasMetrics: true,
    onProgress,
  });
  await supervisor.start(temporal.children);

  const children = await prepareServices(startup, ports, urls.app, urls.owner);
  children.push(
    await prepareTemporalUi({
      program: uiProgram,
      dataDir,
      port: uiPort,
      temporalAddress: `127.0.0.1:${TEMPORAL_DEV_PORT}`,
    }),
  );
  if (prometheus === null || ports.prometheus === null) {
    terminal.say(
      'Left out: there is no `prometheus` on the PATH (Debian: apt-get install prometheus)',
    );
  } else {
    const jobs: ScrapeJob[] = [
      ...Object.entries({ ...ports.metrics }),
      ...temporal.nodes.map(({ name, metricsPort }): ScrapeJob => [name, metricsPort]),
    ];
    const { prometheus: port } = ports;
    children.push(await preparePrometheus({ program: prometheus, dataDir, port, jobs }));
  }
  await supervisor.start(children);
  terminal.print(banner({ settings, ports, dataDir, temporalNodes: temporal.nodes }));
}
