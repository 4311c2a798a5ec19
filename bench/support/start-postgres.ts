import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { takeDataDir } from '../../src/dev/data-dir.ts';
import { freePorts } from '../../src/dev/free-ports.ts';
import { stopLeftovers } from '../../src/dev/leftovers.ts';
import { prepareEmbeddedPostgres } from '../../src/dev/postgres/embedded.ts';
import { createProcessRecord } from '../../src/dev/process-record.ts';
import { createSupervisor } from '../../src/dev/supervisor.ts';
import { emptyFolder } from './empty-folder.ts';
import type { Progress } from './progress.ts';
import type { BenchContext } from './run-bench.ts';
import { benchTerminal } from './terminal.ts';

/** A PostgreSQL alone, in an emptied folder, until the bench ends; gives its URL. */
export async function startPostgres(
  folder: string,
  progress: Progress,
  { atTheEnd }: BenchContext,
): Promise<string> {
  const dataDir = await takeDataDir(folder);
  await stopLeftovers(dataDir.path, progress.say);
  await emptyFolder(dataDir.path);
  const [port = 0] = await freePorts(1);
  const postgres = await prepareEmbeddedPostgres({
    dataDir: dataDir.path,
    port,
    connections: 20,
    path: readMachine().path,
    onProgress: progress.say,
  });
  const record = createProcessRecord(dataDir.path);
  const terminal = benchTerminal(progress, join(dataDir.path, 'processes.log'));
  const supervisor = createSupervisor({ terminal, record });
  atTheEnd(async () => {
    await supervisor.stop();
    record.clear();
    dataDir.release();
  });
  const failed = supervisor.failed.then((error) => Promise.reject(error));
  await Promise.race([supervisor.start([postgres.child]), failed]);
  return postgres.url;
}
