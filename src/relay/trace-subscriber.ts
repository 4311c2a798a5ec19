import type { Tracing } from '../observability/tracing.ts';
import type { Subscriber } from '../users/events.ts';

/** A subscriber that is told of each event in a span, which goes on from the request's. */
export function traceSubscriber(subscriber: Subscriber, tracing: Tracing): Subscriber {
  return {
    ...subscriber,
    handle: (event, signal) =>
      tracing.span(
        {
          name: `relay ${event.type}`,
          kind: 'producer',
          parent: event.traceparent ?? null,
          attributes: {
            'daybell.subscriber': subscriber.name,
            'daybell.user_id': event.userId,
            'daybell.revision': event.revision,
          },
        },
        (span) => subscriber.handle({ ...event, traceparent: span.traceparent }, signal),
      ),
  };
}
