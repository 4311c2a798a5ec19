import type { RecordedAttempt } from '../ledger/types.ts';
import { metricsOn, type Registry } from '../platform/metrics.ts';
import type { Attempt } from './attempt.ts';

/** From a twentieth of a second to a day; with the targets: 1, 4 and 30 s, 5 and 10 minutes. */
const LATENESS_BUCKETS = [
  0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 30, 60, 300, 600, 3_600, 21_600, 86_400,
];
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120];

/** The result of a call of deliver. */
const CALL_RESULTS = ['answered', 'not_yet_settled', 'failed'] as const;
export type CallResult = (typeof CALL_RESULTS)[number];

export type DeliveryMetrics = ReturnType<typeof createDeliveryMetrics>;

/**
 * Counts attempts and deliveries in a process that sends, by destination.
 *
 * @param lateAfterMs a delivery later than this after its due instant counts as late
 */
export function createDeliveryMetrics(registry: Registry, lateAfterMs: number) {
  const { counter, histogram } = metricsOn(registry);
  const attempts = counter(
    'daybell_delivery_attempts_total',
    'Requests made for an occurrence, by destination and verdict.',
    ['destination', 'verdict', 'status_class'],
  );
  const attemptDuration = histogram(
    'daybell_delivery_attempt_duration_seconds',
    'How long a request took, from connecting to the end of the answer.',
    DURATION_BUCKETS,
    ['destination', 'verdict'],
  );
  const delivered = counter('daybell_deliveries_total', 'Deliveries, including redeliveries.', [
    'destination',
  ]);
  const late = counter('daybell_deliveries_late_total', 'First deliveries later than LATE_AFTER.', [
    'destination',
  ]);
  const lateness = histogram(
    'daybell_delivery_lateness_seconds',
    'From the due instant to the end of the answer, without redeliveries.',
    LATENESS_BUCKETS,
    ['destination'],
  );
  const failed = counter('daybell_deliveries_failed_total', 'New dead letters.', [
    'destination',
    'reason',
  ]);
  const throttled = counter('daybell_receiver_throttled_total', 'Answers 429 and 503.', [
    'destination',
  ]);

  return {
    /** Creates the series: one that begins with its first event hides that event from `rate`. */
    begin(destination: string): void {
      for (const [verdict, ...classes] of [
        ['delivered', '2xx'],
        ['retry', '4xx', '5xx', 'none'],
        ['give_up', '3xx', '4xx', 'none'],
        ['gone', '4xx'],
      ] as const) {
        for (const status_class of classes) attempts.inc({ destination, verdict, status_class }, 0);
        attemptDuration.zero({ destination, verdict });
      }
      for (const reason of ['refused', 'gone', 'gave_up', 'superseded']) {
        failed.inc({ destination, reason }, 0);
      }
      for (const counted of [delivered, late, throttled]) counted.inc({ destination }, 0);
      lateness.zero({ destination });
    },
    /** Counts a request that has ended and was judged. */
    attempted(made: RecordedAttempt): void {
      const { destination, outcome: verdict, status, durationMs, slowsDestination } = made;
      const status_class = status === null ? 'none' : `${Math.floor(status / 100)}xx`;
      attempts.inc({ destination, verdict, status_class });
      attemptDuration.observe({ destination, verdict }, durationMs / 1000);
      if (slowsDestination) throttled.inc({ destination });
    },
    /** Counts the result of an attempt once the ledger has it. */
    recorded({ destination, next, redelivered, dueAt }: RecordedAttempt): void {
      if (next.kind === 'failed') failed.inc({ destination, reason: next.reason });
      if (next.kind !== 'delivered') return;
      delivered.inc({ destination });
      if (redelivered) return;
      const latenessMs = next.at - dueAt;
      if (latenessMs > lateAfterMs) late.inc({ destination });
      lateness.observe({ destination }, Math.max(latenessMs, 0) / 1000);
    },
  };
}

/** Exports how many requests are open to each destination, and how many there may be. */
export function createRequestMetrics(registry: Registry, limit: number) {
  const { gauge } = metricsOn(registry);
  const most = gauge(
    'daybell_delivery_requests_limit',
    'Requests that may be open to a destination at a time.',
    ['destination'],
  );
  const open = gauge('daybell_delivery_requests_open', 'Open requests to a destination.', [
    'destination',
  ]);
  /** Wraps an attempt so that it is counted. */
  return (destination: string, attempt: Attempt): Attempt => {
    most.set({ destination }, limit);
    open.set({ destination }, 0);
    return async (claimed, recipient) => {
      open.inc({ destination });
      try {
        return await attempt(claimed, recipient);
      } finally {
        open.dec({ destination });
      }
    };
  };
}

/** Counts requests that went out a second time within one attempt. */
export function countReconnects(registry: Registry): () => void {
  const reconnects = metricsOn(registry).counter(
    'daybell_delivery_reconnects_total',
    'Requests sent again at once, because the kept connection had been closed.',
  );
  return () => reconnects.inc();
}

/** Exports how far the clock of a process that sends is off the database's. */
export function createClockMetrics(registry: Registry) {
  const { gauge } = metricsOn(registry);
  const offset = gauge(
    'daybell_clock_offset_seconds',
    "The database's clock minus this process's.",
  );
  const skewed = gauge('daybell_clock_skewed', '1 while the clock is too far off to send, else 0.');
  return (offsetMs: number, isTooFarOff: boolean): void => {
    offset.set(offsetMs / 1000);
    skewed.set(isTooFarOff ? 1 : 0);
  };
}

/** Counts the calls of deliver. */
export function createDeliverMetrics(registry: Registry): (result: CallResult) => void {
  return metricsOn(registry).counterBy(
    'result',
    CALL_RESULTS,
    'daybell_deliver_calls_total',
    'Calls of deliver by occasion workflows, by result; Temporal repeats all but answered.',
  );
}

export type BacklogMetrics = ReturnType<typeof createBacklogMetrics>;

/** Exports how a backlog shrinks. */
export function createBacklogMetrics(registry: Registry) {
  const { gauge } = metricsOn(registry);
  return {
    inProgress: gauge('daybell_backlog_in_progress', '1 while there is a backlog, else 0.'),
    remaining: gauge('daybell_backlog_remaining', 'Late occurrences without an attempt.'),
    lastDuration: gauge('daybell_backlog_last_duration_seconds', 'How long the last one took.'),
  };
}
