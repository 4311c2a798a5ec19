/**
 * `/healthz` and `/readyz`: whether a process is alive and ready, for its supervisor or
 * orchestrator.
 */
import { Hono } from 'hono';

import { shared } from './async.ts';
import type { Logger } from './logger.ts';

/** Something that a process needs, and whether it is available. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ready: boolean;
  /** In words; without addresses or secrets. */
  readonly detail?: string;
}

export function readinessCheck(name: string, ready: boolean, detail: string): ReadinessCheck {
  return ready ? { name, ready } : { name, ready, detail };
}

export interface Readiness {
  /** Whether every check passed. */
  readonly ready: boolean;
  readonly checks: readonly ReadinessCheck[];
}

/**
 * Runs the checks. Concurrent calls share one run: anyone may call it, without a limit. Logs the
 * failed checks when they have changed.
 */
export function createReadiness(
  runChecks: () => Promise<readonly ReadinessCheck[]>,
  logger: Logger,
): () => Promise<Readiness> {
  let known = '[]';
  return shared(async () => {
    const checks = await runChecks();
    const failed = checks.filter((check) => !check.ready);
    const ready = failed.length === 0;
    const found = JSON.stringify(failed);
    if (found !== known) {
      if (ready) logger.info('ready again');
      else logger.warn({ failed }, 'not ready');
    }
    known = found;
    return { ready, checks };
  });
}

/** HAProxy checks with OPTIONS unless configured otherwise. */
const PROBE_METHODS = ['GET', 'OPTIONS'];

export function createProbes(readiness: () => Promise<Readiness>): Hono {
  const app = new Hono();
  app.on(PROBE_METHODS, '/healthz', (c) => c.json({ status: 'ok' }));
  app.on(PROBE_METHODS, '/readyz', async (c) => {
    const found = await readiness();
    return c.json(found, found.ready ? 200 : 503);
  });
  return app;
}
