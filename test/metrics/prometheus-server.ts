/** A real Prometheus that scrapes what a test runs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { askPrometheus, queryRange } from '../../bench/support/prometheus-api.ts';
import { freePort } from '../support/free-port.ts';
import { runProgram } from '../support/process.ts';
import { askRun } from '../support/ask-run.ts';

export interface TestPrometheus {
  readonly url: string;
  /** Every numeric sample, of all series, of the last seconds. */
  query(expr: string, lastSeconds: number): Promise<number[]>;
  /** The rules that it evaluates: by what they record or raise, `ok` or what went wrong. */
  rules(): Promise<Map<string, string>>;
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 60_000;

/**
 * @param targets `host:port` by the name of the job
 * @param every how often it scrapes, and evaluates the rules
 */
export async function startPrometheus(
  targets: Readonly<Record<string, string>>,
  rulesFile: string,
  every = '1s',
): Promise<TestPrometheus> {
  const program = await askRun('prometheus');
  const directory = await mkdtemp(join(tmpdir(), 'daybell-prometheus-'));
  const config = join(directory, 'prometheus.json');
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: every, evaluation_interval: every, scrape_timeout: every },
      rule_files: [resolve(rulesFile)],
      scrape_configs: Object.entries(targets).map(([job_name, target]) => ({
        job_name,
        static_configs: [{ targets: [target] }],
      })),
    }),
  );
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = runProgram(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    { settings: {}, cwd: directory },
  );

  const stop = async (): Promise<void> => {
    await server.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(`${url}/-/ready`, server.exited);
  } catch (error) {
    await stop();
    throw new Error(server.lines.slice(-20).join('\n'), { cause: error });
  }
  return {
    url,
    async query(expr, lastSeconds) {
      const to = Date.now();
      const range = { from: to - lastSeconds * 1_000, to, stepSeconds: 1 };
      const series = await queryRange(url, expr, range);
      const values = series.flatMap(({ points }) => points.map(([, value]) => value));
      return values.filter((value) => Number.isFinite(value));
    },
    async rules() {
      const { groups } = await askPrometheus<{ groups: { rules: Rule[] }[] }>(url, 'rules');
      const rules = groups.flatMap((group) => group.rules);
      return new Map(
        rules.map(({ name, health, lastError }) => [name, lastError ?? health] as const),
      );
    },
    stop,
  };
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

async function untilReady(url: string, exited: Promise<unknown>): Promise<void> {
  const limit = AbortSignal.timeout(READY_LIMIT_MS);
  const isReady = async (): Promise<true> => {
    for (;;) {
      limit.throwIfAborted();
      const response = await fetch(url, { signal: limit }).catch(() => null);
      if (response?.ok) return true;
      await sleep(100);
    }
  };
  const isUp = await Promise.race([isReady(), exited.then(() => false)]);
  if (!isUp) throw new Error('Prometheus has ended');
}
