import { setTimeout as delay } from 'node:timers/promises';

import { Gauge } from 'prom-client';

import { formatCalendarDate } from '../domain/calendar-date.ts';
import { type AuditDeps, auditDay } from '../events/audit-day.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { Registry } from '../observability/metrics.ts';

const HOUR_MS = 3_600_000;
/** Under a second for each million users on an ordinary day, in pages that nobody waits for. */
const AUDIT_EVERY_MS = HOUR_MS;
/** The database is away, most likely. */
const RETRY_MS = 60_000;

export interface AuditWatch {
  /** Resolves when the audit under way has ended, at its next page. */
  stop(): Promise<void>;
}

/**
 * Audits what is recent, once an hour, and shows how many are unaccounted: nobody should have
 * to think of it. With several processes, all come to the same.
 */
export function startAuditWatch(audit: AuditDeps, registry: Registry, logger: Logger): AuditWatch {
  const registers = [registry];
  const unaccounted = new Gauge({
    name: 'daybell_audit_unaccounted',
    help: 'Users due of late of whom nothing says what became: the last audit, of days over and under way.',
    registers,
  });
  const succeededAt = new Gauge({
    name: 'daybell_audit_last_success_timestamp_seconds',
    help: 'When this process last audited them; 0 when it never has.',
    registers,
  });
  // Not 0 before it is known.
  unaccounted.remove();
  const stopping = new AbortController();
  let isFailing = false;

  const look = async (): Promise<number> => {
    try {
      let count = 0;
      for (const date of daysToAudit(audit.clock())) {
        const report = await auditDay({ ...audit, signal: stopping.signal }, date);
        count += report.unaccounted.count;
        if (report.unaccounted.count > 0) {
          logger.error({ date, unaccounted: report.unaccounted.count }, 'users are unaccounted');
        }
      }
      unaccounted.set(count);
      succeededAt.set(audit.clock() / 1000);
      isFailing = false;
      return AUDIT_EVERY_MS;
    } catch (error) {
      if (stopping.signal.aborted) return 0;
      if (!isFailing) logger.warn({ error: describeError(error) }, 'the audit failed');
      isFailing = true;
      unaccounted.remove();
      return RETRY_MS;
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const pauseMs = await look();
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The last day that is over wherever people live, and those since, until today in UTC. */
export function daysToAudit(now: number): string[] {
  // Where clocks are last, it is 12 hours earlier than in UTC.
  const dates = [-36, -12, 12].map((hours) => formatCalendarDate(now + hours * HOUR_MS));
  return dates.filter((date) => date <= formatCalendarDate(now));
}
