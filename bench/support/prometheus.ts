/** A Prometheus for a bench, which scrapes once a second. */
import { freePorts } from '../../dev/ports.ts';
import { firstOnPath } from '../../dev/programs.ts';
import { preparePrometheus, type ScrapeJob } from '../../dev/stack/prometheus.ts';
import type { Installation } from './installation.ts';

/**
 * Returns its URL.
 *
 * @throws Error if there is none on the PATH
 */
export async function startPrometheus(
  { machine, dataDir, start }: Installation,
  jobs: readonly ScrapeJob[],
): Promise<string> {
  const program = await firstOnPath('prometheus', machine.path);
  if (program === null) {
    throw new Error('There is no `prometheus` on the PATH. Debian: apt-get install prometheus');
  }
  const [port = 0] = await freePorts(1);
  await start([await preparePrometheus({ program, dataDir, port, jobs, scrapeEvery: '1s' })]);
  return `http://127.0.0.1:${port}`;
}
