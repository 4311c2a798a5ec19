import { formatCalendarDate } from '../time/calendar-date.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { metricsOn, type Registry } from '../platform/metrics.ts';
import { createLoop } from '../platform/loop.ts';
import { type AuditDeps, auditDay } from './audit-day.ts';
import type { AuditReport } from './report.ts';

const HOUR_MS = 3_600_000;
/** An audit takes under a second for each million users on an ordinary day. */
const AUDIT_EVERY_MS = HOUR_MS;
/** Most likely the database is down. */
const RETRY_MS = 60_000;

/** The result for one of the last days. */
export type AuditedDay = Pick<AuditReport, 'date' | 'auditedAt' | 'due'> & {
  readonly unaccounted: number;
};

/**
 * Audits the last days once an hour, keeps the results, and exports how many occurrences are
 * unaccounted for.
 */
export function startAuditWatch(audit: AuditDeps, registry: Registry, logger: Logger) {
  const { gauge } = metricsOn(registry);
  const unaccounted = gauge(
    'daybell_audit_unaccounted',
    'Occurrences of the last days that fell due and have no recorded outcome.',
  );
  const succeededAt = gauge(
    'daybell_audit_last_success_timestamp_seconds',
    'When this process last audited them; 0 when it never has.',
  );
  // No value until it is known.
  unaccounted.remove();
  const stopping = new AbortController();
  let last: readonly AuditedDay[] | null = null;

  const loop = createLoop(
    async () => {
      const days: AuditedDay[] = [];
      for (const date of daysToAudit(audit.clock())) {
        const report = await auditDay({ ...audit, signal: stopping.signal }, date);
        const { auditedAt, due } = report;
        const { count } = report.unaccounted;
        days.push({ date, auditedAt, due, unaccounted: count });
        if (count > 0)
          logger.error({ date, unaccounted: count }, 'occurrences are unaccounted for');
      }
      last = days;
      unaccounted.set(days.reduce((sum, day) => sum + day.unaccounted, 0));
      succeededAt.set(audit.clock() / 1000);
      return AUDIT_EVERY_MS;
    },
    (error, failures) => {
      if (stopping.signal.aborted) return 0;
      if (failures === 1) logger.warn({ error: describeError(error) }, 'the audit failed');
      unaccounted.remove();
      return RETRY_MS;
    },
  );
  loop.start();
  return {
    /** The days that were audited last, the oldest first; null before the first audit. */
    last: () => last,
    /** Resolves when the audit under way has ended, at its next page. */
    async stop(): Promise<void> {
      stopping.abort();
      await loop.stop();
    },
  };
}

/** The last day that is over everywhere, and those since, up to today in UTC. */
export function daysToAudit(now: number): string[] {
  // Where clocks are last, it is 12 hours earlier than in UTC.
  const dates = [-36, -12, 12].map((hours) => formatCalendarDate(now + hours * HOUR_MS));
  return dates.filter((date) => date <= formatCalendarDate(now));
}
