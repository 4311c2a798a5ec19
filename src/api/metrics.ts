import { Histogram } from 'prom-client';

import type { DeliveryControl } from '../events/delivery-control.ts';
import type { ErasureState } from '../events/erasure.ts';
import type { LedgerState } from '../events/ledger-state.ts';
import type { ReconcileState } from '../events/reconciliation.ts';
import type { Logger } from '../observability/logger.ts';
import type { Registry } from '../observability/metrics.ts';
import { createReadings, shared } from '../observability/readings.ts';
import type { OutboxState } from '../users/outbox.ts';
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

export interface StateSources {
  readonly ledger: LedgerState;
  readonly deliveries: Pick<DeliveryControl, 'findDestination'>;
  readonly outbox: OutboxState;
  readonly reconciler: ReconcileState;
  readonly findErasures: () => Promise<ErasureState>;
}

/** What is in the database, read when it is asked for: by one process, as it is true of all. */
export function exportState(registry: Registry, sources: StateSources, logger: Logger): void {
  const { ledger, deliveries, outbox, reconciler, findErasures } = sources;
  const { gauge } = createReadings(registry, logger);
  const destination = shared(deliveries.findDestination);
  const backlog = shared(outbox.backlog);
  const erasures = shared(findErasures);

  gauge(
    { name: 'daybell_occurrences_armed', help: 'Armed rows: waiting for their attempt, or sent.' },
    ledger.armed,
  );
  gauge(
    {
      name: 'daybell_occurrences_unreported',
      help: 'Rows whose outcome Temporal has not been told.',
    },
    ledger.unreported,
  );
  gauge(
    { name: 'daybell_dead_letters', help: 'Rows that are FAILED: given up, and not redelivered.' },
    ledger.deadLetters,
  );
  gauge(
    {
      name: 'daybell_occurrences_blocked',
      help: 'Rows that cannot be planned; blockedReason says why.',
    },
    ledger.blocked,
  );
  gauge(
    { name: 'daybell_deliveries_paused', help: '1 while all deliveries are paused, else 0.' },
    async () => ((await destination()).pausedAt === null ? 0 : 1),
  );
  gauge(
    {
      name: 'daybell_destination_slowed',
      help: '1 while the receiver has asked for less (429, 503), else 0.',
    },
    async () => ((await destination()).slowDown === null ? 0 : 1),
  );
  gauge(
    { name: 'daybell_outbox_length', help: 'Events that wait to be relayed.' },
    async () => (await backlog()).length,
  );
  gauge(
    {
      name: 'daybell_outbox_set_aside',
      help: 'Events that could not be relayed and wait for an operator.',
    },
    async () => (await backlog()).setAside,
  );
  gauge(
    {
      name: 'daybell_outbox_oldest_age_seconds',
      help: 'How long the oldest of them has waited; 0 when none waits.',
    },
    async () => (await backlog()).oldestAgeMs / 1000,
  );
  gauge(
    {
      name: 'daybell_missed_unrepaired',
      help: 'What the reconciler has found to be amiss and could not repair.',
    },
    reconciler.unrepaired,
  );
  gauge(
    {
      name: 'daybell_reconcile_last_success_timestamp_seconds',
      help: 'When the reconciler last looked for all; 0 when it never has.',
    },
    async () => ((await reconciler.lastSucceededAt()) ?? 0) / 1000,
  );
  gauge(
    {
      name: 'daybell_erasures_waiting',
      help: 'Deleted users whose time has come, and who are not erased from both stores.',
    },
    async () => (await erasures()).waiting,
  );
  gauge(
    {
      name: 'daybell_erasures_oldest_age_seconds',
      help: 'How long the one of them who waits longest has been due; 0 when nobody waits.',
    },
    async () => (await erasures()).oldestAgeMs / 1000,
  );
}
