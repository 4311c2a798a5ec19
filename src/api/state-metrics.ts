/** Metrics of shared state, read when they are scraped: every API process reports the same. */
import { availableParallelism } from 'node:os';

import { Gauge } from 'prom-client';

import type { Settings } from '../platform/settings/settings.ts';
import { createErasure } from '../erasure/erasure.ts';
import type { DeliveryControl } from '../ledger/delivery-control.ts';
import { createLedgerState, type LedgerState } from '../ledger/ledger-state.ts';
import type { Logger } from '../platform/logger.ts';
import type { Registry } from '../platform/metrics.ts';
import { shared } from '../platform/async.ts';
import { createReadings } from '../platform/readings.ts';
import { findActiveSeconds } from '../platform/database/health.ts';
import type { Orm } from '../platform/database/orm.ts';
import { createReconcileState } from '../reconcile/state.ts';
import { type WorkKind, WORK_KINDS } from '../platform/temporal/worker-versions.ts';
import { createOutboxAdmin } from '../users/outbox-admin.ts';

interface StateSources {
  readonly orm: Orm;
  readonly deliveries: Pick<DeliveryControl, 'findDestination'>;
  readonly countPollers: (kind: WorkKind) => Promise<number>;
  readonly settings: Pick<Settings, 'LATE_AFTER' | 'ERASE_AFTER' | 'DATABASE_CORES'>;
}

export function exportState(registry: Registry, sources: StateSources, logger: Logger): void {
  const { orm, deliveries, countPollers, settings } = sources;
  const { gauge, gauges, counter } = createReadings(registry, logger);
  const ledger = createLedgerState(orm, { lateAfterMs: settings.LATE_AFTER });
  const plain = {
    ...ledgerGauges(ledger),
    ...destinationGauges(deliveries),
    ...backlogGauges(orm, settings.ERASE_AFTER),
  };
  for (const [name, [help, read]] of Object.entries(plain)) gauge({ name, help }, read);

  gauges(
    {
      name: 'daybell_occurrences_due',
      help: 'Occurrences that fell due in the last hour, or 24 hours, by outcome.',
      labelNames: ['within', 'outcome'],
    },
    async () =>
      (await ledger.recent()).flatMap(({ outcome, lastDay, lastHour }) => [
        { labels: { within: '1h', outcome }, value: lastHour },
        { labels: { within: '24h', outcome }, value: lastDay },
      ]),
  );
  const upcoming = shared(ledger.upcoming);
  /** Two digits: as text they are in order. */
  const byHour = (value: 'occurrences' | 'peak') => async () =>
    (await upcoming()).map((hour) => ({
      labels: { in_hours: String(hour.inHours).padStart(2, '0') },
      value: hour[value],
    }));
  gauges(
    {
      name: 'daybell_upcoming_occurrences',
      help: 'Occurrences that fall due in the hour that begins in so many hours.',
      labelNames: ['in_hours'],
    },
    byHour('occurrences'),
  );
  gauges(
    {
      name: 'daybell_upcoming_peak',
      help: 'The most of them that fall due in one minute.',
      labelNames: ['in_hours'],
    },
    byHour('peak'),
  );

  gauges(
    {
      name: 'daybell_task_queue_pollers',
      help: 'Workers that polled Temporal for such tasks in the last two minutes.',
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
      help: 'Seconds that all sessions of the database server have spent in statements.',
    },
    () => findActiveSeconds(orm),
  );
  new Gauge({
    name: 'daybell_database_cores',
    help: "Cores of the database server: DATABASE_CORES, or those of this process's machine.",
    registers: [registry],
  }).set(settings.DATABASE_CORES ?? availableParallelism());
}

/** Help texts and readings, by name. docs/metrics.md says more. */
type Gauges = Readonly<Record<string, readonly [string, () => Promise<number>]>>;

function ledgerGauges(ledger: LedgerState): Gauges {
  const counts = shared(ledger.counts);
  return {
    daybell_occurrences_due_soon: [
      'To be sent now or within five minutes.',
      async () => (await counts()).dueSoon,
    ],
    daybell_occurrences_leased: ['Being sent.', async () => (await counts()).leased],
    daybell_occurrences_backlog: [
      'Due, and not claimed by any process.',
      async () => (await counts()).backlog,
    ],
    daybell_occurrences_retrying: [
      'Waiting for their next attempt.',
      async () => (await counts()).retrying,
    ],
    daybell_dead_letters: [
      'FAILED, and not redelivered.',
      async () => (await counts()).deadLetters,
    ],
    daybell_occurrences_blocked: [
      'Without a due instant; see blockedReason.',
      async () => (await counts()).blocked,
    ],
    daybell_occurrences_oldest_open_age_seconds: [
      'How long the oldest open occurrence has been due; 0 if none is.',
      async () => (await counts()).oldestOpenAgeMs / 1000,
    ],
  };
}

function destinationGauges(deliveries: StateSources['deliveries']): Gauges {
  const destination = shared(deliveries.findDestination);
  return {
    daybell_deliveries_paused: [
      '1 while all deliveries are paused, else 0.',
      async () => ((await destination()).pausedAt === null ? 0 : 1),
    ],
    daybell_destination_slowed: [
      '1 while the receiver asks for less (429, 503), else 0.',
      async () => ((await destination()).slowDown === null ? 0 : 1),
    ],
  };
}

/** What waits for the scheduler, the reconciler or erasure. */
function backlogGauges(orm: Orm, eraseAfterMs: number): Gauges {
  const outbox = shared(createOutboxAdmin(orm).backlog);
  const reconciler = createReconcileState(orm);
  const erasures = shared(() => createErasure(orm).findState(eraseAfterMs));
  return {
    daybell_outbox_length: ['Events that wait in the outbox.', async () => (await outbox()).length],
    daybell_outbox_parked: [
      'Events that could not be processed and wait for an operator.',
      async () => (await outbox()).parked,
    ],
    daybell_outbox_oldest_age_seconds: [
      'Age of the oldest event that waits; 0 if none does.',
      async () => (await outbox()).oldestAgeMs / 1000,
    ],
    daybell_missed_unrepaired: [
      'Faults that the reconciler has found and could not repair.',
      reconciler.unrepaired,
    ],
    daybell_reconcile_last_success_timestamp_seconds: [
      'When the reconciler last completed a round; 0 if it never has.',
      async () => ((await reconciler.lastSucceededAt()) ?? 0) / 1000,
    ],
    daybell_erasures_waiting: [
      'Deleted users due for erasure and not yet erased from both stores.',
      async () => (await erasures()).waiting,
    ],
    daybell_erasures_oldest_age_seconds: [
      'How long the oldest of them has been due; 0 if there is none.',
      async () => (await erasures()).oldestAgeMs / 1000,
    ],
  };
}
