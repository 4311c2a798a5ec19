import { Gauge } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { Attempt } from './attempt.ts';

/**
 * Shows on a registry how many requests are open, of how many that may be.
 *
 * @param limit open requests at the most
 * @returns the same attempt, counted while it lasts
 */
export function countOpenRequests(registry: Registry, attempt: Attempt, limit: number): Attempt {
  const registers = [registry];
  new Gauge({
    name: 'daybell_delivery_requests_limit',
    help: 'Open requests of this process at the most: WEBHOOK_CONCURRENCY.',
    registers,
  }).set(limit);
  const open = new Gauge({
    name: 'daybell_delivery_requests_open',
    help: 'Requests to the receiver that are open at this moment.',
    registers,
  });
  return async (...occurrence) => {
    open.inc();
    try {
      return await attempt(...occurrence);
    } finally {
      open.dec();
    }
  };
}
