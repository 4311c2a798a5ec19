import { Counter } from 'prom-client';

import type { Registry } from '../observability/metrics.ts';
import type { Subscriber } from '../users/events.ts';
import type { OutboxResult } from '../users/outbox.ts';

const RESULTS: Readonly<Record<OutboxResult['kind'], string>> = {
  relayed: 'relayed',
  returned: 'returned',
  postponed: 'failed',
  'set-aside': 'set_aside',
};

/** Counts what a relay does with the events of each subscriber, on a registry. */
export function createRelayMetrics(
  registry: Registry,
  subscribers: readonly Pick<Subscriber, 'name'>[],
): (results: readonly OutboxResult[], subscriber: string) => void {
  const events = new Counter({
    name: 'daybell_relay_events_total',
    help: 'Events of the outbox that were taken, by subscriber and by what became of them.',
    labelNames: ['subscriber', 'result'],
    registers: [registry],
  });
  for (const { name: subscriber } of subscribers) {
    for (const result of Object.values(RESULTS)) events.inc({ subscriber, result }, 0);
  }
  return (results, subscriber) => {
    for (const { kind } of results) events.inc({ subscriber, result: RESULTS[kind] });
  };
}
