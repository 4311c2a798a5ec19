import type { TzDatabase } from '../time/tz-database.ts';
import { createLedger } from '../ledger/ledger.ts';
import { createOccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { EXPIRED_LEASE_GRACE_MS } from '../ledger/types.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import type { Registry } from '../platform/metrics.ts';
import type { Foundation } from '../platform/process.ts';
import type { DateLimits } from '../planning/date-settings.ts';
import type { ServiceContext } from '../platform/service.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { Orm } from '../platform/database/orm.ts';
import { createAttempt, type Attempt, type AttemptDeps } from './attempt.ts';
import { createBackpressureWatch } from './backpressure/backpressure-watch.ts';
import { createClockOffset, createDatabaseClock } from './clock-offset.ts';
import { createHealth } from './health.ts';
import { LEASE_MARGIN_MS } from './check-claim.ts';
import { countReconnects, createClockMetrics, createDeliveryMetrics } from './metrics.ts';
import { createOutcomes } from './outcomes.ts';
import { createFindRecipients } from './recipient.ts';
import {
  createDestinationClient,
  type CreateWebhookClient,
  type DestinationSettings,
} from './wire/webhook-client.ts';

interface SharedOptions extends Pick<AttemptDeps, 'sentBy' | 'logger'> {
  readonly orm: Orm;
  readonly tz: TzDatabase;
  /** Epoch ms by the process's own clock. */
  readonly clock: () => number;
  readonly settings: AttemptDeps['settings'] & {
    /** The longest that one request can take. */
    readonly timeoutMs: number;
    /** How late a first attempt may be. */
    readonly lateLimitMs: number;
  };
  /** How long an outcome may wait for others, in ms. */
  readonly outcomeWaitMs: number;
  readonly registry: Registry;
  readonly tracing: Tracing | null;
}

export interface SendingOptions extends SharedOptions, Pick<AttemptDeps, 'client'> {
  readonly destination?: string;
  /** Requests that a worker may have open to it at a time. */
  readonly slots?: number;
}

type Shared = ReturnType<typeof createShared>;

export type Sending = ReturnType<typeof createSending>;

/** One for each destination of a process; any of them has what they share. */
export type Sendings = readonly [Sending, ...Sending[]];

/** What differs between the processes that send. */
interface SendingProcess extends Pick<SendingOptions, 'sentBy' | 'tz' | 'outcomeWaitMs'> {
  readonly createClient: CreateWebhookClient;
  /** For each destination. */
  readonly maxSockets: number;
  readonly limits: DateLimits;
}

/**
 * Sending to each of a process's destinations, with a webhook client that closes with the process.
 * They share what belongs to the database; each has its own connections, claims and backpressure,
 * so that one that hangs delays no other.
 */
export function openSending(
  { logger, onStop, settings: all }: ServiceContext,
  { orm, metrics: registry, tracing }: Foundation,
  destinations: ReadonlyMap<string, DestinationSettings>,
  { createClient, maxSockets, limits, ...process }: SendingProcess,
): Sendings {
  const onReconnect = countReconnects(registry);
  const settings = { ...limits, timeoutMs: all.WEBHOOK_TIMEOUT_MS };
  const options = { ...process, orm, clock: Date.now, settings, registry, tracing, logger };
  const shared = createShared(options);
  // A hanging one may occupy half of a worker's capacity, so that the others have the rest.
  const slots = destinations.size > 1 ? Math.ceil(maxSockets / 2) : maxSockets;
  const open = ([destination, own]: readonly [string, DestinationSettings]): Sending => {
    const client = createDestinationClient(createClient, own, {
      maxSockets,
      onReconnect,
      // Lets a receiver continue the trace: https://www.w3.org/TR/trace-context/.
      traceHeaders() {
        const traceparent = tracing?.active() ?? null;
        return traceparent === null ? {} : { traceparent };
      },
    });
    onStop(() => client.close());
    return createSending({ ...options, destination, slots, client }, shared);
  };
  const [first, ...others] = destinations;
  if (first === undefined) throw new Error('There is no destination.');
  return [open(first), ...others.map(open)];
}

/** What a process needs to send to one destination, a dispatcher or a worker. */
export function createSending(options: SendingOptions, shared: Shared = createShared(options)) {
  const { orm, client, sentBy, settings, tracing, logger } = options;
  const { destination = DEFAULT_DESTINATION, slots = Infinity } = options;
  const { health, time, outcomes } = shared;
  const ledger = createLedger(orm, { lateAfterMs: settings.lateAfterMs, destination });
  const watch = createBackpressureWatch({ ledger, health, logger, destination });
  const makeAttempt = createAttempt({
    client,
    sentBy,
    clock: time.now,
    settings,
    logger,
    tracing,
  });
  shared.metrics.begin(destination);

  const attempt: Attempt = async (claimed, recipient) => {
    const beganAt = watch.began();
    const made = await makeAttempt(claimed, recipient);
    watch.ended(made, beganAt);
    return made;
  };

  return {
    ...shared,
    destination,
    slots,
    ledger,
    watch,
    attempt,
    /** Writes outcomes that are not written yet. No request to the destination may be in flight. */
    async flush(): Promise<void> {
      await watch.stop();
      const unwritten = await outcomes.drain();
      if (unwritten > 0) logger.error({ unwritten }, 'outcomes could not be written in time');
    },
  };
}

/** What all destinations of a process share. */
function createShared(options: SharedOptions) {
  const { orm, tz, clock, settings, registry, tracing, logger } = options;
  const { lateAfterMs } = settings;
  const health = createHealth(logger);
  const metrics = createDeliveryMetrics(registry, lateAfterMs);
  const traces = tracing && createOccurrenceTraces(orm, logger);
  return {
    health,
    metrics,
    time: createClockOffset({ clock, logger, onMeasured: createClockMetrics(registry) }),
    outcomes: createOutcomes({
      ledger: createLedger(orm, { lateAfterMs }),
      health,
      metrics,
      waitMs: options.outcomeWaitMs,
    }),
    findRecipients: createFindRecipients(orm, { tz, ...settings }, traces),
    clock,
    readDatabaseClock: createDatabaseClock(orm),
    settings,
    logger,
    claimTerms: () => ({
      now: clock(),
      leaseMs: settings.timeoutMs + LEASE_MARGIN_MS,
      takesExpired: health.steadyMs() >= EXPIRED_LEASE_GRACE_MS,
    }),
  };
}
