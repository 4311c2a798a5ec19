/** Metrics of shared state, read when they are scraped: every API process reports the same. */
import { availableParallelism } from 'node:os';

import { Gauge } from 'prom-client';

import { createErasure } from '../erasure/erasure.ts';
import {
  type DeliveryControl,
  type DestinationState,
  NOTHING_WAITS,
  type WaitingDeliveries,
} from '../ledger/delivery-control.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { shared } from '../platform/async.ts';
import { findActiveSeconds } from '../platform/database/health.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { Logger } from '../platform/logger.ts';
import type { Registry } from '../platform/metrics.ts';
import { createReadings } from '../platform/readings.ts';
import type { Settings } from '../platform/settings/settings.ts';
import { type WorkKind, WORK_KINDS } from '../platform/temporal/worker-versions.ts';
import { createReconcileState } from '../reconcile/state.ts';
import { createOutboxAdmin } from '../users/outbox.ts';

interface StateSources {
  readonly orm: Orm;
  readonly deliveries: Pick<DeliveryControl, 'findDestinations' | 'countWaiting'>;
  readonly countPollers: (kind: WorkKind) => Promise<number>;
  readonly settings: Pick<Settings, 'ERASE_AFTER' | 'DATABASE_CORES'> & {
    readonly lateAfterMs: number;
  };
}

/** docs/metrics.md explains each. */
export function exportState(registry: Registry, sources: StateSources, logger: Logger): void {
  const { orm, deliveries, countPollers, settings } = sources;
  const { gauge, counter } = createReadings(registry, logger);
  /** Gauges of one read, by its fields: names and help texts. Fields in ms are shown in seconds. */
  const gauges = <Field extends string>(
    read: () => Promise<Readonly<Record<NoInfer<Field>, number>>>,
    fields: Readonly<Record<Field, readonly [name: string, help: string]>>,
  ): void => {
    const readOnce = shared(read);
    for (const field of Object.keys(fields) as Field[]) {
      const [name, help] = fields[field];
      const unit = field.endsWith('Ms') ? 1000 : 1;
      gauge(name, help, async () => (await readOnce())[field] / unit);
    }
  };

  const ledger = createLedgerState(orm, settings);
  gauges(ledger.counts, {
    dueSoon: ['daybell_occurrences_due_soon', 'To be sent now or within five minutes.'],
    leased: ['daybell_occurrences_leased', 'Being sent.'],
    backlog: ['daybell_occurrences_backlog', 'Due, and not claimed by any process.'],
    retrying: ['daybell_occurrences_retrying', 'Waiting for their next attempt.'],
    deadLetters: ['daybell_dead_letters', 'FAILED, and not redelivered.'],
    blocked: ['daybell_occurrences_blocked', 'Without a due instant; see blockedReason.'],
    oldestOpenAgeMs: [
      'daybell_occurrences_oldest_open_age_seconds',
      'How long the oldest open occurrence has been due; 0 if none is.',
    ],
  });
  gauge(
    'daybell_occurrences_due',
    'Occurrences that fell due in the last hour, or 24 hours, by outcome.',
    async () =>
      (await ledger.recent()).flatMap(({ outcome, lastDay, lastHour }) => [
        { labels: { within: '1h', outcome }, value: lastHour },
        { labels: { within: '24h', outcome }, value: lastDay },
      ]),
    ['within', 'outcome'],
  );
  const upcoming = shared(ledger.upcoming);
  const byHour = (value: 'occurrences' | 'peak') => async () =>
    (await upcoming()).map((hour) => ({
      // Two digits: as text they are in order.
      labels: { in_hours: String(hour.inHours).padStart(2, '0') },
      value: hour[value],
    }));
  gauge(
    'daybell_upcoming_occurrences',
    'Occurrences that fall due in the hour that begins in so many hours.',
    byHour('occurrences'),
    ['in_hours'],
  );
  gauge('daybell_upcoming_peak', 'The most of them that fall due in one minute.', byHour('peak'), [
    'in_hours',
  ]);

  const findDestinations = shared(async () => {
    const { each } = await deliveries.countWaiting();
    return { found: await deliveries.findDestinations(), each };
  });
  const byDestination = (
    name: string,
    help: string,
    valueOf: (one: DestinationState, waiting: WaitingDeliveries) => number,
  ): void =>
    gauge(
      name,
      help,
      async () => {
        const { found, each } = await findDestinations();
        return found.map((one) => ({
          labels: { destination: one.id },
          value: valueOf(one, each.get(one.id) ?? NOTHING_WAITS),
        }));
      },
      ['destination'],
    );
  byDestination(
    'daybell_deliveries_paused',
    '1 while deliveries to the destination are paused, else 0.',
    ({ pausedAt }) => (pausedAt === null ? 0 : 1),
  );
  byDestination(
    'daybell_destination_slowed',
    '1 while the receiver asks to slow down (429, 503), else 0.',
    ({ slowDown }) => (slowDown === null ? 0 : 1),
  );
  byDestination(
    'daybell_destination_waiting',
    'Past due and neither settled nor being sent.',
    (_, { due, retrying }) => due + retrying,
  );
  byDestination(
    'daybell_destination_dispatchers',
    'Dispatchers that are alive and send to the destination.',
    ({ dispatchers }) => dispatchers,
  );

  gauges(createOutboxAdmin(orm).backlog, {
    length: ['daybell_outbox_length', 'Events that wait in the outbox.'],
    parked: [
      'daybell_outbox_parked',
      'Events that could not be processed and wait for an operator.',
    ],
    oldestAgeMs: [
      'daybell_outbox_oldest_age_seconds',
      'Age of the oldest event that waits; 0 if none does.',
    ],
  });
  const reconciler = createReconcileState(orm);
  gauge(
    'daybell_missed_unrepaired',
    'Faults that the reconciler has found and could not repair.',
    reconciler.unrepaired,
  );
  gauge(
    'daybell_reconcile_last_success_timestamp_seconds',
    'When the reconciler last completed a round; 0 if it never has.',
    async () => ((await reconciler.lastSucceededAt()) ?? 0) / 1000,
  );
  gauges(() => createErasure(orm).findState(settings.ERASE_AFTER), {
    waiting: [
      'daybell_erasures_waiting',
      'Deleted users due for erasure and not yet erased from both stores.',
    ],
    oldestAgeMs: [
      'daybell_erasures_oldest_age_seconds',
      'How long the oldest of them has been due; 0 if there is none.',
    ],
  });

  gauge(
    'daybell_task_queue_pollers',
    'Workers that polled Temporal for such tasks in the last two minutes.',
    () =>
      Promise.all(
        WORK_KINDS.map(async (kind) => ({ labels: { kind }, value: await countPollers(kind) })),
      ),
    ['kind'],
  );
  counter(
    'daybell_database_active_seconds_total',
    'Seconds that all sessions of the database server have spent in statements.',
    () => findActiveSeconds(orm),
  );
  new Gauge({
    name: 'daybell_database_cores',
    help: "Cores of the database server: DATABASE_CORES, or those of this process's machine.",
    registers: [registry],
  }).set(settings.DATABASE_CORES ?? availableParallelism());
}
