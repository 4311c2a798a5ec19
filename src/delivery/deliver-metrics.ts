import { Counter } from 'prom-client';

import type { CallResult } from './deliver.ts';
import type { Registry } from '../observability/metrics.ts';

const RESULTS: readonly CallResult[] = ['answered', 'not_yet_settled', 'failed'];

/** Gives what counts the calls of deliver, on a registry. */
export function createDeliverMetrics(registry: Registry): (result: CallResult) => void {
  const calls = new Counter({
    name: 'daybell_deliver_calls_total',
    help: 'Calls of deliver by occasion workflows, by what came of them: answered, not yet settled (Temporal calls again), failed.',
    labelNames: ['result'],
    registers: [registry],
  });
  for (const result of RESULTS) calls.inc({ result }, 0);
  return (result) => calls.inc({ result });
}
