/** Prometheus with the project's rules, as a process of the stack. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { answersOk } from '../answers-ok.ts';
import type { ChildSpec } from '../child.ts';

/** Where a process tells its metrics: its name, and its port on this machine. */
export type ScrapeJob = readonly [name: string, port: number];

export interface PrometheusOptions {
  readonly program: string;
  /** Absolute; its configuration and what it has seen are kept there. */
  readonly dataDir: string;
  readonly port: number;
  readonly jobs: readonly ScrapeJob[];
  /** Instead of its usual pace, such as `1s`. */
  readonly scrapeEvery?: string;
}

/** What is the same wherever it runs. deploy/prometheus/prometheus.yml has the same, kept so by a test. */
export const PROMETHEUS_SETTINGS = {
  // Four readings in the shortest time for which a rule looks.
  scrape_interval: '15s',
  evaluation_interval: '15s',
} as const;

/** Alarms, and the indicators they stand on. */
export const RULES = fileURLToPath(
  new URL('../../../deploy/prometheus/alerts.yml', import.meta.url),
);

const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
/** How long what was seen is kept: a fortnight, and the disk decides no earlier. */
export const KEPT_FOR = '15d';

/** Writes its configuration; starts nothing. */
export async function preparePrometheus(options: PrometheusOptions): Promise<ChildSpec> {
  const { program, dataDir, port } = options;
  const folder = join(dataDir, 'prometheus');
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'prometheus.json');
  await writeFile(configFile, prometheusConfig(options));
  const flags = {
    'config.file': configFile,
    'storage.tsdb.path': join(folder, 'data'),
    'storage.tsdb.retention.time': KEPT_FOR,
    'web.listen-address': `127.0.0.1:${port}`,
  };
  return {
    name: 'prometheus',
    stopStage: 2,
    spawn: () =>
      spawn(
        program,
        Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
        {
          cwd: folder,
          env: { PATH: '/usr/bin:/bin' },
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    readiness: () => answersOk(`http://127.0.0.1:${port}/-/ready`),
    readyWithinMs: READY_LIMIT_MS,
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_LIMIT_MS,
    killSignal: 'SIGKILL',
  };
}

/** In JSON, which is YAML too. */
function prometheusConfig({ jobs, scrapeEvery }: PrometheusOptions): string {
  const config = {
    global: { ...PROMETHEUS_SETTINGS, ...(scrapeEvery && { scrape_interval: scrapeEvery }) },
    rule_files: [RULES],
    scrape_configs: jobs.map(([name, port]) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    })),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
