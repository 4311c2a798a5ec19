/** Prometheus with the project's rules, as a process of the stack. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ChildSpec } from '../child.ts';
import { answersOk, serverProcess } from '../server-process.ts';

/** A process that serves metrics, and its port on this machine. */
export type ScrapeJob = readonly [name: string, port: number];

export interface PrometheusOptions {
  readonly program: string;
  /** Absolute; its configuration and its data are kept there. */
  readonly dataDir: string;
  readonly port: number;
  readonly jobs: readonly ScrapeJob[];
  /** Instead of the usual interval, such as `1s`. */
  readonly scrapeEvery?: string;
}

/**
 * The settings that are the same everywhere. deploy/prometheus/prometheus.yml repeats them; a test
 * compares.
 */
export const PROMETHEUS_SETTINGS = {
  // Four readings within the shortest range that a rule uses.
  scrape_interval: '15s',
  evaluation_interval: '15s',
} as const;

/** Alarms, and the indicators they are computed from. */
export const RULES = fileURLToPath(new URL('../../deploy/prometheus/alerts.yml', import.meta.url));

/** A fortnight, whatever its size on disk. */
export const KEPT_FOR = '15d';

/** Writes its configuration; starts nothing. */
export async function preparePrometheus(options: PrometheusOptions): Promise<ChildSpec> {
  const { program, dataDir, port, jobs, scrapeEvery } = options;
  const folder = join(dataDir, 'prometheus');
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'prometheus.json');
  const config = {
    global: { ...PROMETHEUS_SETTINGS, ...(scrapeEvery && { scrape_interval: scrapeEvery }) },
    rule_files: [RULES],
    scrape_configs: jobs.map(([name, jobPort]) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${jobPort}`] }],
    })),
  };
  // JSON is YAML too.
  await writeFile(configFile, JSON.stringify(config));
  const flags = {
    'config.file': configFile,
    'storage.tsdb.path': join(folder, 'data'),
    'storage.tsdb.retention.time': KEPT_FOR,
    'web.listen-address': `127.0.0.1:${port}`,
  };
  return serverProcess({
    name: 'prometheus',
    program,
    args: Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    cwd: folder,
    readiness: () => answersOk(`http://127.0.0.1:${port}/-/ready`),
  });
}
