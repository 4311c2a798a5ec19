/** The two processes that an import needs: the API, and a scheduler that plans imported users. */
import type { BenchContext } from './run-bench.ts';
import { startAlone, startApi } from './start-api.ts';

export interface ImportProcesses {
  /** Their process ids. */
  readonly api: number;
  readonly scheduler: number;
  readonly url: string;
}

/**
 * Both are stopped when the bench ends.
 *
 * @param heapMb the limit of the API's heap; 0 for Node's default
 */
export async function importProcesses(
  databaseUrl: string,
  heapMb: number,
  context: BenchContext,
): Promise<ImportProcesses> {
  const scheduler = startAlone('planning/main.ts', { databaseUrl }, context);
  scheduler.stdout.resume();
  const heap = [`--max-old-space-size=${heapMb}`, '--max-semi-space-size=8'];
  const nodeOptions = heapMb > 0 ? heap : [];
  const { pid, url } = await startApi({ databaseUrl, nodeOptions }, context);
  return { api: pid, scheduler: scheduler.pid ?? 0, url };
}
