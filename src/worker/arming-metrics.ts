import { Counter } from 'prom-client';

import type { ArmingObserver } from '../activities/index.ts';
import type { Registry } from '../observability/metrics.ts';

/** Counts what workflows arm, on a registry. */
export function createArmingMetrics(registry: Registry): ArmingObserver {
  const registers = [registry];
  const armed = new Counter({
    name: 'daybell_occurrences_armed_total',
    help: 'Occurrences armed by their workflow, without those armed again for a later attempt.',
    registers,
  });
  const behind = new Counter({
    name: 'daybell_occurrences_armed_after_instant_total',
    help: 'Of these, armed after their instant: planned when it had passed, or ARM_WINDOW is too short.',
    registers,
  });
  return {
    armed(leadMs) {
      armed.inc();
      if (leadMs < 0) behind.inc();
    },
  };
}
