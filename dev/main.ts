/** `npm start`: Daybell with everything it needs, from one command. */
import { banner } from './banner.ts';
import type { ChildSpec } from './child.ts';
import { runInForeground, type Startup } from './foreground.ts';
import { findPorts } from './ports.ts';
import { prepareEmbeddedPostgres } from './postgres/embedded.ts';
import { prepareServices } from './services.ts';
import { findTemporalBinary } from './temporal/binary.ts';
import { temporalServer } from './temporal/server.ts';

/** Connections besides the pools: migrations, the readiness check, an operator's psql. */
const SPARE_CONNECTIONS = 20;
const POOLS = 5;

await runInForeground(startDaybell);

/** Starts an embedded server for each one that is not configured, and then Daybell's processes. */
async function startDaybell(startup: Startup): Promise<void> {
  const { settings, machine, terminal, dataDir, supervisor, signal } = startup;
  const ports = await findPorts(settings);
  const onProgress = terminal.say;
  const servers: ChildSpec[] = [];
  let databaseUrl: string | null = null;

  if (ports.postgres !== null) {
    const connections = settings.DATABASE_POOL * POOLS + SPARE_CONNECTIONS;
    const options = { dataDir, port: ports.postgres, connections, onProgress };
    const postgres = await prepareEmbeddedPostgres(options);
    databaseUrl = postgres.url;
    servers.push(postgres.child);
  }
  if (ports.temporal !== null && ports.temporalUi !== null) {
    const binary = await findTemporalBinary({ ...machine, onProgress, signal });
    const { temporal: port, temporalUi: uiPort } = ports;
    servers.push(temporalServer({ binary, dataDir, port, uiPort, home: machine.home }));
  }
  signal.throwIfAborted();
  await supervisor.start(servers);
  await supervisor.start(await prepareServices(startup, ports, databaseUrl));
  terminal.print(banner({ settings, ports, dataDir }));
}
