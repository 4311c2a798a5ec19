import { Gauge } from 'prom-client';

import type { ErasureState } from '../erasure/erasure.ts';
import type { DeliveryControl } from '../ledger/delivery-control.ts';
import type { LedgerState } from '../ledger/ledger-state.ts';
import type { Logger } from '../platform/logger.ts';
import type { Registry } from '../platform/metrics.ts';
import { shared } from '../platform/async.ts';
import { createReadings } from '../platform/readings.ts';
import type { ReconcileState } from '../reconcile/state.ts';
import { type WorkKind, WORK_KINDS } from '../platform/temporal/worker-versions.ts';
import type { createOutboxState } from '../users/outbox.ts';
import { exportDue } from './due-metrics.ts';
import { exportErasures } from './erasure-metrics.ts';

/** What the database server says of its own load. */
export interface DatabaseLoad {
  /** Seconds spent in statements by all sessions, added up. */
  activeSeconds(): Promise<number>;
  /** Of its machine. */
  readonly cores: number;
}

export interface StateSources {
  readonly ledger: LedgerState;
  readonly deliveries: Pick<DeliveryControl, 'findDestination'>;
  readonly outbox: ReturnType<typeof createOutboxState>;
  readonly reconciler: ReconcileState;
  readonly findErasures: () => Promise<ErasureState>;
  readonly countPollers: (kind: WorkKind) => Promise<number>;
  readonly database: DatabaseLoad;
}

/** What is outside, read when it is asked for: by one process, as it is true of all. */
export function exportState(registry: Registry, sources: StateSources, logger: Logger): void {
  const { ledger, deliveries, outbox, reconciler, countPollers, database } = sources;
  const readings = createReadings(registry, logger);
  const { gauge, gauges, counter } = readings;
  const destination = shared(deliveries.findDestination);
  const backlog = shared(outbox.backlog);
  const counts = shared(ledger.counts);

  gauge(
    {
      name: 'daybell_occurrences_due_soon',
      help: 'Occurrences that wait to be sent, or fall due within five minutes.',
    },
    async () => (await counts()).dueSoon,
  );
  gauge(
    { name: 'daybell_occurrences_leased', help: 'Occurrences that are being sent.' },
    async () => (await counts()).leased,
  );
  gauge(
    {
      name: 'daybell_occurrences_backlog',
      help: 'Occurrences that are due and that no process has claimed.',
    },
    async () => (await counts()).backlog,
  );
  gauge(
    {
      name: 'daybell_occurrences_retrying',
      help: 'Occurrences that wait for their next attempt.',
    },
    async () => (await counts()).retrying,
  );
  gauge(
    { name: 'daybell_dead_letters', help: 'Occurrences that are FAILED and were not redelivered.' },
    async () => (await counts()).deadLetters,
  );
  gauge(
    {
      name: 'daybell_occurrences_blocked',
      help: 'Occurrences without a due instant; blockedReason says why.',
    },
    async () => (await counts()).blocked,
  );
  gauge(
    {
      name: 'daybell_occurrences_oldest_open_age_seconds',
      help: 'How long ago the oldest instant was of what is not settled; 0 when none has passed.',
    },
    async () => (await counts()).oldestOpenAgeMs / 1000,
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
    { name: 'daybell_outbox_length', help: 'Events that wait in the outbox.' },
    async () => (await backlog()).length,
  );
  gauge(
    {
      name: 'daybell_outbox_parked',
      help: 'Events that could not be processed and wait for an operator.',
    },
    async () => (await backlog()).parked,
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
  gauges(
    {
      name: 'daybell_task_queue_pollers',
      help: 'Workers that have asked Temporal for such work in the last two minutes.',
      labelNames: ['kind'],
    },
    () =>
      Promise.all(
        WORK_KINDS.map(async (kind) => ({
          labels: { kind },
          value: await countPollers(kind),
        })),
      ),
  );
  counter(
    {
      name: 'daybell_database_active_seconds_total',
      help: 'Seconds that the sessions of the database server spent in statements, added up.',
    },
    database.activeSeconds,
  );
  new Gauge({
    name: 'daybell_database_cores',
    help: "Cores of the database server's machine: DATABASE_CORES, or those of this process's.",
    registers: [registry],
  }).set(database.cores);
  exportDue(readings, ledger);
  exportErasures(readings, sources.findErasures);
}
