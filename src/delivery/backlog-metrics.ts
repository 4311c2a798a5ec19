import { Counter, Gauge } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { BacklogObserver } from './backlog.ts';

/** Shows on a registry how the backlog goes down. */
export function createBacklogMetrics(registry: Registry): BacklogObserver {
  const registers = [registry];
  const started = new Counter({
    name: 'daybell_backlog_started_total',
    help: 'How often a backlog was found: occurrences later than LATE_AFTER without an attempt.',
    registers,
  });
  const inProgress = new Gauge({
    name: 'daybell_backlog_in_progress',
    help: '1 while there is a backlog, else 0.',
    registers,
  });
  const remaining = new Gauge({
    name: 'daybell_backlog_remaining',
    help: 'Occurrences later than LATE_AFTER that wait for their first attempt.',
    registers,
  });
  const lastDuration = new Gauge({
    name: 'daybell_backlog_last_duration_seconds',
    help: 'How long the last backlog took; 0 when there was none since the start.',
    registers,
  });
  return {
    started: () => started.inc(),
    remaining(count) {
      remaining.set(count);
      inProgress.set(count > 0 ? 1 : 0);
    },
    done: (durationMs) => lastDuration.set(durationMs / 1000),
  };
}
