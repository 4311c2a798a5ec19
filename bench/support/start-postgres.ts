import { join } from 'node:path';

import { takeDataDir } from '../../dev/data-dir.ts';
import { freePorts } from '../../dev/ports.ts';
import { prepareEmbeddedPostgres } from '../../dev/postgres/embedded.ts';
import { createSupervisor } from '../../dev/supervisor.ts';
import { emptyFolder } from './empty-folder.ts';
import type { Progress } from './progress.ts';
import type { BenchContext } from './run-bench.ts';
import { benchTerminal } from './terminal.ts';

/** A PostgreSQL alone, in an emptied folder, until the bench ends; returns its URL. */
export async function startPostgres(
  folder: string,
  progress: Progress,
  { atTheEnd }: BenchContext,
): Promise<string> {
  const record = await takeDataDir(folder, progress.say);
  const { dataDir } = record;
  await emptyFolder(dataDir);
  const [port = 0] = await freePorts(1);
  const postgres = await prepareEmbeddedPostgres({
    dataDir,
    port,
    connections: 20,
    onProgress: progress.say,
  });
  const terminal = benchTerminal(progress, join(dataDir, 'processes.log'));
  const supervisor = createSupervisor({ terminal, record });
  atTheEnd(async () => {
    await supervisor.stop();
    record.clear();
  });
  const failed = supervisor.failed.then((error) => Promise.reject(error));
  await Promise.race([supervisor.start([postgres.child]), failed]);
  return postgres.url;
}
