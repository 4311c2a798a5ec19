/**
 * `npm run due`: lists every occurrence that would be sent now, or as soon as deliveries resume.
 * From the database at DATABASE_URL, or else the embedded one, which has to run.
 */
import { createDeliveryControl, type DestinationState } from '../ledger/delivery-control.ts';
import { createOccurrenceReader, type OccurrenceSummary } from '../ledger/occurrence-reader.ts';
import type { OccurrencePlace } from '../ledger/occurrence-filter.ts';
import { DEFAULT_DESTINATION } from '../platform/destination.ts';
import { urlSettingOf } from '../platform/settings/destinations.ts';
import { readEmbeddedDatabaseUrl } from '../platform/database/embedded-database.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { loadTzDatabase } from '../platform/load-tz-database.ts';
import { loadSettings } from '../platform/settings/settings.ts';
import { lateLimitOf, readTypeSettings } from '../planning/type-settings.ts';
import { runCommand } from './command.ts';

const PAGE = 1_000;
const DUE = {
  status: null,
  from: null,
  to: null,
  occasionType: null,
  userId: null,
  timezone: null,
  reason: null,
  destination: null,
  answer: null,
  late: null,
  blocked: null,
  due: true,
} as const;

await runCommand(async () => {
  const settings = loadSettings();
  const { DATABASE_URL, DATA_DIR, POSTGRES_DEV_PORT, LATE_AFTER, LATE_LIMIT, ZONE_DATA } = settings;
  const url = DATABASE_URL ?? (await readEmbeddedDatabaseUrl(DATA_DIR, POSTGRES_DEV_PORT));
  const orm = await connectOrm(url, { poolSize: 1 });
  try {
    const limits = { lateAfterMs: LATE_AFTER, lateLimitMs: LATE_LIMIT };
    const destinations = await createDeliveryControl(orm, limits).findDestinations();
    const tz = loadTzDatabase(ZONE_DATA);
    const reader = createOccurrenceReader(orm, { lateAfterMs: LATE_AFTER, tz });
    const types = await readTypeSettings(orm.em.fork());
    const now = destinations[0]?.now ?? 0;
    let count = 0;
    let after: OccurrencePlace | null = null;
    do {
      const page = await reader.findPage(DUE, after, PAGE);
      for (const row of page.occurrences) {
        const lateLimitMs = lateLimitOf(types.of(row.occasionType), limits);
        process.stdout.write(`${row.key}  ${describe(row, now - lateLimitMs)}\n`);
      }
      count += page.occurrences.length;
      after = page.nextAfter;
    } while (after !== null);
    return `${count} due, to be sent ${whenSent(destinations)}.\n`;
  } finally {
    await orm.close(true);
  }
});

/** For example: now; to crm when deliveries to it are resumed (paused: maintenance). */
function whenSent(destinations: readonly DestinationState[]): string {
  const [only] = destinations;
  const waits = destinations.flatMap((one) => {
    const { id, pausedAt, pauseReason, dispatchers } = one;
    const to = destinations.length > 1 ? `to ${id} ` : '';
    if (pausedAt !== null) {
      return [`${to}when deliveries are resumed (paused: ${pauseReason ?? 'no reason'})`];
    }
    const isUnserved = dispatchers === 0 && id !== DEFAULT_DESTINATION;
    return isUnserved ? [`${to}by a dispatcher or worker with ${urlSettingOf(id)}`] : [];
  });
  return waits.length === destinations.length && only !== undefined
    ? waits.join('; ')
    : ['now', ...waits].join('; ');
}

function describe(
  { dueAt, status, attemptCount, redeliveries }: OccurrenceSummary,
  tooLateBefore: number,
): string {
  const since = `due ${new Date(dueAt ?? 0).toISOString()}`;
  if (attemptCount > 0) return `${since}, after ${attemptCount} attempts`;
  // Its process ended, or the database was restored, before the outcome was recorded.
  if (status === 'PROCESSING') return `${since}, was being sent: it may have arrived`;
  const isTooLate = redeliveries === 0 && (dueAt ?? Infinity) < tooLateBefore;
  return isTooLate ? `${since}, past its late limit: skipped instead` : since;
}
