import { Counter, Gauge } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { RecoveryObserver } from './recovery.ts';

/** Shows on a registry how catching up goes. */
export function createRecoveryMetrics(registry: Registry): RecoveryObserver {
  const registers = [registry];
  const started = new Counter({
    name: 'daybell_recovery_started_total',
    help: 'How often something was found to be owed late, and catching up began.',
    registers,
  });
  const inProgress = new Gauge({
    name: 'daybell_recovery_in_progress',
    help: '1 while something is owed late that nobody tried, else 0.',
    registers,
  });
  const remaining = new Gauge({
    name: 'daybell_recovery_remaining',
    help: 'Occurrences later than LATE_AFTER that wait for their first attempt.',
    registers,
  });
  const lastDuration = new Gauge({
    name: 'daybell_recovery_last_duration_seconds',
    help: 'How long the last catching up took; 0 when there was none since the start.',
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
