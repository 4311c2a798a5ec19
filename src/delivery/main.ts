/**
 * The process `dispatcher`: sends what is due. Needs only PostgreSQL and the receiver. Run as many
 * as needed.
 */
import { destinationsOf, requireSettings } from '../platform/settings/settings.ts';
import { createLedgerState } from '../ledger/ledger-state.ts';
import { createQueryMetrics } from '../platform/metrics.ts';
import { runService, type ServiceContext } from '../platform/service.ts';
import { openFoundation } from '../platform/process.ts';
import { openDateSettings } from '../planning/date-settings.ts';
import { createBacklogWatch } from './dispatcher/backlog.ts';
import { createDispatcher } from './dispatcher/dispatcher.ts';
import { createPresence } from './dispatcher/presence.ts';
import { startWarmUp } from './dispatcher/warm-up.ts';
import { createBacklogMetrics, createRequestMetrics } from './metrics.ts';
import { openSending } from './sending.ts';
import { requireAllowedHost } from './wire/destination-guard.ts';
import { createHttpClient } from './wire/http-client.ts';

await runService(
  'dispatcher',
  startDispatcher,
  (settings) => requireSettings(settings, 'DATABASE_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
  requireAllowedHost,
);

async function startDispatcher(context: ServiceContext): Promise<void> {
  const { logger, onStop } = context;
  const settings = requireAllowedHost(
    requireSettings(context.settings, 'DATABASE_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRETS'),
  );
  const concurrency = settings.WEBHOOK_CONCURRENCY;
  const foundation = await openFoundation(context, settings.DATABASE_URL);
  const { metrics, orm } = foundation;
  const { tz, limits } = await openDateSettings(context, foundation);
  const destinations = destinationsOf(settings);
  const sendings = openSending(context, foundation, destinations, {
    sentBy: 'dispatcher',
    createClient: createHttpClient,
    maxSockets: concurrency,
    tz,
    limits,
    // Half of the 100 ms within which an outcome should be in the ledger; the rest is for writing
    // it.
    outcomeWaitMs: 50,
  });
  const timed = createQueryMetrics(metrics, ['claim']);
  const counted = createRequestMetrics(metrics, concurrency);
  const dispatchers = sendings.map((sending) => {
    const { destination, ledger, attempt } = sending;
    return createDispatcher({
      ...sending,
      ledger: { ...ledger, claim: (request) => timed('claim', () => ledger.claim(request)) },
      attempt: counted(destination, attempt),
      presence: createPresence(orm, destination),
      concurrency,
      rateLimit: destinations.get(destination)?.WEBHOOK_MAX_PER_SECOND ?? null,
    });
  });
  const backlog = createBacklogWatch({
    ledgerState: createLedgerState(orm, limits),
    logger,
    metrics: createBacklogMetrics(metrics),
  });
  const isBusy = (): boolean => dispatchers.some((dispatcher) => dispatcher.isBusy());
  const warmUp = startWarmUp({ settings, isBusy, logger });

  for (const dispatcher of dispatchers) dispatcher.start();
  backlog.start();
  onStop(() =>
    Promise.all([
      warmUp.stop(),
      backlog.stop(),
      ...dispatchers.map((dispatcher) => dispatcher.stop()),
    ]),
  );
}
