import { Histogram } from 'prom-client';

import type { Registry } from '../platform/metrics.ts';
import type { ObservedRequest } from './deps.ts';

/** With the target, 0.05, and what an alarm would ask for, 0.15 and 0.2. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 2.5, 5, 10];
/** Node takes many more, and a client chooses; each would be a series. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Times requests on a registry. */
export function createRequestMetrics(registry: Registry): (request: ObservedRequest) => void {
  const duration = new Histogram({
    name: 'daybell_http_request_duration_seconds',
    help: 'From the first line of a request of the API to the first of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
  return ({ method, route, status, durationMs }) => {
    const labels = { method: METHODS.has(method) ? method : 'other', route, status };
    duration.observe(labels, durationMs / 1000);
  };
}
