import { Counter, Gauge } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { Notified, NotifierObserver } from './notifier.ts';

const RESULTS: readonly Notified[] = ['started', 'woken', 'ended', 'redelivered', 'refused'];

/** What the notifier tells Temporal, and how fast it allows itself to, on a registry. */
export function createNotifierMetrics(registry: Registry): NotifierObserver {
  const registers = [registry];
  const notified = new Counter({
    name: 'daybell_occasions_notified_total',
    help: 'Occasion workflows that were notified: started, woken, asked to end, woken for a redelivery; or that Temporal refused to notify.',
    labelNames: ['result'],
    registers,
  });
  for (const result of RESULTS) notified.inc({ result }, 0);
  const pace = new Gauge({
    name: 'daybell_notify_rate_limit',
    help: 'How many workflows a second the notifier allows itself to notify: it follows how Temporal and the database answer.',
    registers,
  });
  return {
    notified: (result) => notified.inc({ result }),
    paced: (perSecond) => pace.set(perSecond),
  };
}
