import type { LedgerState } from '../ledger/ledger-state.ts';
import { shared } from '../platform/async.ts';
import { type Readings } from '../platform/readings.ts';

/** Whether today is all right, and what comes next: from the ledger, at the moment of the scrape. */
export function exportDue({ gauges }: Readings, ledger: LedgerState): void {
  gauges(
    {
      name: 'daybell_occurrences_due',
      help: 'Occurrences whose instant was in the last hour, or 24 hours, by what became of them.',
      labelNames: ['within', 'outcome'],
    },
    async () =>
      (await ledger.recent()).flatMap(({ outcome, lastDay, lastHour }) => [
        { labels: { within: '1h', outcome }, value: lastHour },
        { labels: { within: '24h', outcome }, value: lastDay },
      ]),
  );
  const upcoming = shared(ledger.upcoming);
  gauges(
    {
      name: 'daybell_upcoming_occurrences',
      help: 'Occurrences that are due in the hour that begins in so many hours.',
      labelNames: ['in_hours'],
    },
    async () => (await upcoming()).map(({ inHours, occurrences }) => at(inHours, occurrences)),
  );
  gauges(
    {
      name: 'daybell_upcoming_peak',
      help: 'The most of them that are due in one minute.',
      labelNames: ['in_hours'],
    },
    async () => (await upcoming()).map(({ inHours, peak }) => at(inHours, peak)),
  );
}

/** Two digits: as text they are in order. */
function at(inHours: number, value: number) {
  return { labels: { in_hours: String(inHours).padStart(2, '0') }, value };
}
