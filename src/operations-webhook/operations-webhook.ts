/** The operators' webhook: reports trouble to operators who have no Prometheus. Runs in the scheduler. */
import { auditDay, type AuditDeps } from '../audit/audit-day.ts';
import { daysToAudit } from '../audit/watch.ts';
import { requireAllowedUrls } from '../delivery/wire/destination-guard.ts';
import { createGotClient } from '../delivery/wire/got-client.ts';
import {
  createDestinationClient,
  type DestinationSettings,
} from '../delivery/wire/webhook-client.ts';
import type { LedgerState } from '../ledger/ledger-state.ts';
import { queryOf } from '../ledger/sql.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { createLoop } from '../platform/loop.ts';
import { metricsOn, type Registry } from '../platform/metrics.ts';
import { requireSettings, type Settings } from '../platform/settings/settings.ts';
import { createEventQueue } from './event-queue.ts';
import { createSender, SEND_RESULTS } from './sender.ts';
import { createWatch, type Unaccounted, type Watch } from './watch.ts';

export interface OperationsWebhookDeps {
  /** Null if it is not configured. */
  readonly destination: DestinationSettings | null;
  readonly ledgerState: Pick<LedgerState, 'lateBacklog'>;
  /** Without a signal of its own. */
  readonly audit: AuditDeps;
  readonly logger: Logger;
  readonly metrics: Registry;
}

const LOOK_EVERY_MS = 5_000;
const LOOK_FOR_AUDIT_EVERY_MS = 30_000;
const RETRY_MS = 5_000;

/** Watches, and sends what it finds. Does nothing without a destination. */
export function createOperationsWebhook(deps: OperationsWebhookDeps) {
  const { destination, ledgerState, audit, logger, metrics } = deps;
  const count = metricsOn(metrics).counterBy(
    'result',
    SEND_RESULTS,
    'daybell_operations_events_total',
    'Requests of the operators’ webhook.',
  );
  if (destination === null) return { start() {}, async stop() {} };

  const { orm, clock } = audit;
  const watch = createWatch(orm, ledgerState);
  const sender = createSender({
    queue: createEventQueue(queryOf(orm)),
    client: createDestinationClient(createGotClient, destination, { maxSockets: 1 }),
    timeoutMs: destination.WEBHOOK_TIMEOUT_MS,
    logger,
    count,
    clock,
  });
  const stopping = new AbortController();
  const wakeFor = (events: number): void => {
    if (events > 0) sender.wake();
  };
  const watchLoop = (everyMs: number, look: () => Promise<number>, failure: string) =>
    createLoop(
      async () => {
        wakeFor(await look());
        return everyMs;
      },
      (error, failures) => {
        const isNew = failures === 1 && !stopping.signal.aborted;
        if (isNew) logger.warn({ error: describeError(error) }, failure);
        return RETRY_MS;
      },
    );
  const loops = [
    sender,
    watchLoop(LOOK_EVERY_MS, watch.look, 'the watch for operational events failed'),
    watchLoop(
      LOOK_FOR_AUDIT_EVERY_MS,
      () => auditIfDue(watch, { ...audit, signal: stopping.signal }),
      'the audit for operational events failed',
    ),
  ];
  return {
    start(): void {
      for (const loop of loops) loop.start();
    },
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

/** Once an hour, in one of the schedulers. Returns the number of new events. */
async function auditIfDue(watch: Watch, audit: AuditDeps): Promise<number> {
  if (!(await watch.isAuditDue())) return 0;
  try {
    const found = new Map<string, Unaccounted>();
    for (const date of daysToAudit(audit.clock())) {
      const { unaccounted } = await auditDay(audit, date);
      found.set(date, unaccounted);
    }
    return await watch.reportAudits(found);
  } catch (error) {
    await watch.releaseAudit().catch(() => {});
    throw error;
  }
}

/**
 * The destination of operational events, by the settings; null if there is none.
 *
 * @throws InvalidSettingsError
 */
export function operationsDestination(settings: Settings): DestinationSettings | null {
  const { OPERATIONS_WEBHOOK_URL: url, OPERATIONS_WEBHOOK_SECRETS: own } = settings;
  if (url === undefined) return null;
  requireAllowedUrls(settings, new Map([['OPERATIONS_WEBHOOK_URL', url]]));
  const secrets = own ?? requireSettings(settings, 'WEBHOOK_SECRETS').WEBHOOK_SECRETS;
  return { ...settings, WEBHOOK_URL: url, WEBHOOK_SECRETS: secrets };
}
