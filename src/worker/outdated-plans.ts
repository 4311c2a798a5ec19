import { setTimeout as sleep } from 'node:timers/promises';

import { type ReplanDeps, replanOutdated } from '../events/replan-outdated.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';

/** The database or Temporal is away: they are tried again at this pace. */
const PAUSE_MS = 10_000;

/**
 * Makes outdated plans again, once, in the background: nothing waits for it, and what it
 * does not get to is done at the next start.
 */
export function startReplanning(deps: ReplanDeps, logger: Logger): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    const startedAt = Date.now();
    while (!signal.aborted) {
      try {
        const summary = await replanOutdated(deps, signal);
        if (signal.aborted) return;
        const durationMs = Date.now() - startedAt;
        const about = { tzVersion: deps.rules.law.version, ...summary, durationMs };
        logger.info(about, 'plans made under other settings or zone data are made again');
        return;
      } catch (error) {
        logger.warn({ error: describeError(error) }, 'outdated plans: trying again soon');
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  const finished = run();
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}
