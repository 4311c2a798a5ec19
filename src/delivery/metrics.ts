import { Counter, Gauge, Histogram } from 'prom-client';

import type { EndedClaim, RecordedAttempt } from '../ledger/types.ts';
import type { Registry } from '../observability/metrics.ts';
import type { ClockObserver } from './clock-offset.ts';
import type { DeliveryObserver } from './observer.ts';

/** From a twentieth of a second to a day; with the targets: 1, 4 and 30 s, 5 and 10 minutes. */
const LATENESS_BUCKETS = [
  0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 30, 60, 300, 600, 3_600, 21_600, 86_400,
];
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120];

/**
 * Counts what a process does that sends, on a registry.
 *
 * @param settings.lateAfterMs a delivery later than this after its instant counts as late
 */
export function createDeliveryMetrics(
  registry: Registry,
  { lateAfterMs }: { readonly lateAfterMs: number },
): DeliveryObserver {
  const metrics = register(registry);

  const delivered = ({ redelivered, dueAt }: RecordedAttempt, at: number): void => {
    metrics.delivered.inc();
    if (redelivered) return;
    const latenessMs = at - dueAt;
    if (latenessMs > lateAfterMs) metrics.late.inc();
    metrics.lateness.observe(Math.max(latenessMs, 0) / 1000);
  };

  return {
    attempted({ outcome: verdict, status, durationMs, slowsDestination }) {
      metrics.attempts.inc({ verdict, status_class: statusClass(status) });
      metrics.attemptDuration.observe({ verdict }, durationMs / 1000);
      if (slowsDestination) metrics.throttled.inc();
      if (verdict === 'gone') metrics.gone.inc();
      if (verdict === 'gone' || verdict === 'give_up') metrics.refusalsInARow.inc();
      if (verdict === 'delivered') metrics.refusalsInARow.set(0);
    },
    recorded(attempt: RecordedAttempt) {
      const { next } = attempt;
      if (next.kind === 'delivered') delivered(attempt, next.at);
      if (next.kind === 'failed') metrics.failed.inc({ reason: next.reason });
    },
    released() {
      metrics.released.inc();
    },
    ended({ reason }: EndedClaim) {
      metrics.settled.inc({ reason });
    },
    returned() {
      metrics.returned.inc();
    },
  };
}

/** Shows how far the clock of a process that sends is off the database's. */
export function createClockMetrics(registry: Registry): ClockObserver {
  const registers = [registry];
  const offset = new Gauge({
    name: 'daybell_clock_offset_seconds',
    help: "What this process's clock lacks to the database's; negative when it is ahead.",
    registers,
  });
  const skewed = new Gauge({
    name: 'daybell_clock_skewed',
    help: '1 while the clock is more than four minutes off, and nothing is sent from here, else 0.',
    registers,
  });
  return {
    measured(offsetMs, isTooFarOff) {
      offset.set(offsetMs / 1000);
      skewed.set(isTooFarOff ? 1 : 0);
    },
  };
}

/** `2xx`, `5xx` and so on; `none` when no answer came. */
function statusClass(status: number | null): string {
  return status === null ? 'none' : `${Math.floor(status / 100)}xx`;
}

function register(registry: Registry) {
  const registers = [registry];
  const metrics = {
    attempts: new Counter({
      name: 'daybell_delivery_attempts_total',
      help: 'Requests that were made for an occurrence, by what they were judged to be.',
      labelNames: ['verdict', 'status_class'],
      registers,
    }),
    attemptDuration: new Histogram({
      name: 'daybell_delivery_attempt_duration_seconds',
      help: 'How long a request took, from connecting to the end of the answer.',
      labelNames: ['verdict'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    delivered: new Counter({
      name: 'daybell_deliveries_total',
      help: 'Deliveries that are in the ledger, redeliveries too.',
      registers,
    }),
    late: new Counter({
      name: 'daybell_deliveries_late_total',
      help: 'Deliveries later than LATE_AFTER, but for redeliveries.',
      registers,
    }),
    lateness: new Histogram({
      name: 'daybell_delivery_lateness_seconds',
      help: 'From the due instant to the end of the answer, of deliveries but for redeliveries.',
      buckets: LATENESS_BUCKETS,
      registers,
    }),
    failed: new Counter({
      name: 'daybell_deliveries_failed_total',
      help: 'Occurrences given up: dead letters made.',
      labelNames: ['reason'],
      registers,
    }),
    gone: new Counter({
      name: 'daybell_receiver_gone_total',
      help: 'Answers 410: the receiver says that it is no more.',
      registers,
    }),
    throttled: new Counter({
      name: 'daybell_receiver_throttled_total',
      help: 'Answers by which the receiver asks for less (429, 503).',
      registers,
    }),
    refusalsInARow: new Gauge({
      name: 'daybell_receiver_refusals_in_a_row',
      help: 'Final refusals (give_up, gone) since this process last delivered anything.',
      registers,
    }),
    released: new Counter({
      name: 'daybell_claims_released_total',
      help: 'Claimed rows that were not sent, because their plan no longer holds.',
      registers,
    }),
    settled: new Counter({
      name: 'daybell_claims_settled_total',
      help: 'Claimed rows that were settled without an attempt, by the reason.',
      labelNames: ['reason'],
      registers,
    }),
    returned: new Counter({
      name: 'daybell_claims_returned_total',
      help: 'Claimed rows that were not sent in time or because of a pause, and are due again.',
      registers,
    }),
  };
  showZeros(metrics);
  return metrics;
}

/** A series that begins with its first event hides that event from `rate`. */
function showZeros(metrics: ReturnType<typeof register>): void {
  const { attempts, attemptDuration, failed, settled } = metrics;
  for (const [verdict, status_class] of [
    ['delivered', '2xx'],
    ['retry', '4xx'],
    ['retry', '5xx'],
    ['retry', 'none'],
    ['give_up', '3xx'],
    ['give_up', '4xx'],
    ['give_up', 'none'],
    ['gone', '4xx'],
  ] as const) {
    attempts.inc({ verdict, status_class }, 0);
    attemptDuration.zero({ verdict });
  }
  for (const reason of ['refused', 'gone', 'gave_up', 'superseded']) failed.inc({ reason }, 0);
  for (const reason of ['user_deleted', 'suspended', 'superseded', 'too_late']) {
    settled.inc({ reason }, 0);
  }
}
