import type { TzDatabase } from '../time/tz-database.ts';
import { createBuiltInMessages } from '../occasion-types/built-in.ts';
import { createLedger } from '../ledger/ledger.ts';
import { createOccurrenceTraces } from '../ledger/occurrence-traces.ts';
import { EXPIRED_LEASE_GRACE_MS } from '../ledger/types.ts';
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

export interface SendingOptions extends Pick<AttemptDeps, 'client' | 'sentBy' | 'logger'> {
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

export type Sending = ReturnType<typeof createSending>;

/** What differs between the processes that send. */
interface SendingProcess extends Pick<SendingOptions, 'sentBy' | 'tz' | 'outcomeWaitMs'> {
  readonly createClient: CreateWebhookClient;
  readonly maxSockets: number;
  readonly limits: DateLimits;
}

/** Sending as a process's settings say, with a webhook client that closes with the process. */
export function openSending(
  { logger, onStop, settings: all }: ServiceContext,
  { orm, metrics: registry, tracing }: Foundation,
  destination: DestinationSettings,
  { createClient, maxSockets, limits, ...options }: SendingProcess,
): Sending {
  const client = createDestinationClient(createClient, destination, {
    maxSockets,
    onReconnect: countReconnects(registry),
    // By it, a receiver continues the trace: https://www.w3.org/TR/trace-context/.
    traceHeaders() {
      const traceparent = tracing?.active() ?? null;
      return traceparent === null ? {} : { traceparent };
    },
  });
  onStop(() => client.close());
  const settings = { ...limits, timeoutMs: all.WEBHOOK_TIMEOUT_MS };
  const clock = Date.now;
  return createSending({ ...options, orm, client, clock, settings, registry, tracing, logger });
}

/** What a process needs to send, a dispatcher or a worker. */
export function createSending(options: SendingOptions) {
  const { orm, tz, client, sentBy, clock, settings, registry, tracing, logger } = options;
  const { lateAfterMs } = settings;
  const ledger = createLedger(orm, { lateAfterMs });
  const health = createHealth(logger);
  const time = createClockOffset({ clock, logger, onMeasured: createClockMetrics(registry) });
  const watch = createBackpressureWatch({ ledger, health, logger });
  const outcomes = createOutcomes({
    ledger,
    health,
    metrics: createDeliveryMetrics(registry, lateAfterMs),
    waitMs: options.outcomeWaitMs,
  });
  const traces = tracing && createOccurrenceTraces(orm, logger);
  const makeAttempt = createAttempt({
    client,
    sentBy,
    clock: time.now,
    settings,
    messageOf: createBuiltInMessages(),
    logger,
    tracing,
  });

  const attempt: Attempt = async (claimed, recipient) => {
    const beganAt = watch.began();
    const made = await makeAttempt(claimed, recipient);
    watch.ended(made, beganAt);
    return made;
  };

  return {
    ledger,
    health,
    time,
    watch,
    outcomes,
    findRecipients: createFindRecipients(orm, { tz, ...settings }, traces),
    attempt,
    clock,
    readDatabaseClock: createDatabaseClock(orm),
    settings,
    logger,
    claimTerms: () => ({
      now: clock(),
      leaseMs: settings.timeoutMs + LEASE_MARGIN_MS,
      takesExpired: health.steadyMs() >= EXPIRED_LEASE_GRACE_MS,
    }),
    /** Writes what is not written yet. Nothing may be on the wire. */
    async flush(): Promise<void> {
      await watch.stop();
      const unwritten = await outcomes.drain();
      if (unwritten > 0) logger.error({ unwritten }, 'outcomes could not be written in time');
    },
  };
}
