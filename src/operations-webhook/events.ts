/** The events of the operators' webhook. Ids, counts and instants; no personal data. */
import { z } from '@hono/zod-openapi';

const instant = z.iso.datetime();

function eventOf<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.object({
    type: z.literal(type),
    timestamp: instant.describe('When it was noticed'),
    message: z.string().describe('The same in a sentence, for people'),
    data,
  });
}

const destination = z.string().openapi({ example: 'default' });
const keys = z.array(z.string()).describe('The first few, as occurrence keys');
const countBy = (what: string) => z.record(z.string(), z.int()).describe(`How many by ${what}`);

const FailedSchema = eventOf(
  'occurrence.failed',
  z.object({
    count: z.int().describe('Since the event before; at most one event a minute'),
    reasons: countBy('reason, such as refused, gone or gave_up'),
    destinations: countBy('destination'),
    keys,
  }),
).openapi('OccurrenceFailedEvent');

const UnaccountedSchema = eventOf(
  'audit.unaccounted',
  z.object({
    date: z.iso.date().describe('The day that was audited'),
    count: z.int().describe('Occurrences that fell due, and have no recorded outcome'),
    keys,
  }),
).openapi('AuditUnaccountedEvent');

const PausedSchema = eventOf(
  'destination.paused',
  z.object({
    destination,
    pausedAt: instant,
    reason: z.string().nullable().describe('As the operator wrote it'),
  }),
).openapi('DestinationPausedEvent');

const ResumedSchema = eventOf(
  'destination.resumed',
  z.object({ destination, pausedAt: instant }),
).openapi('DestinationResumedEvent');

const BacklogStartedSchema = eventOf(
  'backlog.started',
  z.object({
    count: z.int().describe('Occurrences that wait longer than LATE_AFTER for a first attempt'),
    oldestLatenessMs: z.int(),
  }),
).openapi('BacklogStartedEvent');

const BacklogClearedSchema = eventOf(
  'backlog.cleared',
  z.object({ startedAt: instant, durationMs: z.int() }),
).openapi('BacklogClearedEvent');

export const OperationsEventSchema = z
  .discriminatedUnion('type', [
    FailedSchema,
    UnaccountedSchema,
    PausedSchema,
    ResumedSchema,
    BacklogStartedSchema,
    BacklogClearedSchema,
  ])
  .openapi('OperationsEvent');

export type OperationsEvent = z.output<typeof OperationsEventSchema>;

/** How many keys an event names. */
export const MOST_KEYS = 5;

const iso = (at: number): string => new Date(at).toISOString();

/** Failed occurrences of one reason and destination. */
export interface FailureGroup {
  readonly reason: string;
  readonly destination: string;
  readonly count: number;
  readonly keys: readonly string[];
}

// In all that follow, `now` and other instants are epoch ms.

export function failedEvent(now: number, groups: readonly FailureGroup[]): OperationsEvent {
  const sumBy = (name: 'reason' | 'destination'): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const group of groups) sums[group[name]] = (sums[group[name]] ?? 0) + group.count;
    return sums;
  };
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  const reasons = sumBy('reason');
  const list = Object.entries(reasons).map(([reason, of]) => `${of} ${reason}`);
  return {
    type: 'occurrence.failed',
    timestamp: iso(now),
    message: `${counted(count, 'occurrence has', 'occurrences have')} failed: ${list.join(', ')}.`,
    data: {
      count,
      reasons,
      destinations: sumBy('destination'),
      keys: groups.flatMap((group) => group.keys).slice(0, MOST_KEYS),
    },
  };
}

export function unaccountedEvent(
  now: number,
  date: string,
  { count, first }: { readonly count: number; readonly first: readonly string[] },
): OperationsEvent {
  return {
    type: 'audit.unaccounted',
    timestamp: iso(now),
    message: `${counted(count, 'occurrence', 'occurrences')} of ${date} fell due, and ${count === 1 ? 'has' : 'have'} no recorded outcome.`,
    data: { date, count, keys: first.slice(0, MOST_KEYS) },
  };
}

export function pausedEvent(
  now: number,
  destination: string,
  pausedAt: number,
  reason: string | null,
): OperationsEvent {
  return {
    type: 'destination.paused',
    timestamp: iso(now),
    message: `Deliveries to ${destination} are paused${reason === null ? '' : `: ${reason}`}.`,
    data: { destination, pausedAt: iso(pausedAt), reason },
  };
}

export function resumedEvent(now: number, destination: string, pausedAt: number): OperationsEvent {
  return {
    type: 'destination.resumed',
    timestamp: iso(now),
    message: `Deliveries to ${destination} are resumed; they were paused since ${iso(pausedAt)}.`,
    data: { destination, pausedAt: iso(pausedAt) },
  };
}

export function backlogStartedEvent(
  now: number,
  count: number,
  latenessMs: number,
): OperationsEvent {
  return {
    type: 'backlog.started',
    timestamp: iso(now),
    message: `${counted(count, 'occurrence waits', 'occurrences wait')} longer than LATE_AFTER for a first attempt.`,
    data: { count, oldestLatenessMs: Math.round(latenessMs) },
  };
}

export function backlogClearedEvent(
  now: number,
  startedAt: number,
  lastSeenAt: number,
): OperationsEvent {
  const durationMs = Math.round(lastSeenAt - startedAt);
  return {
    type: 'backlog.cleared',
    timestamp: iso(now),
    message: `The backlog is cleared; it lasted ${Math.ceil(durationMs / 1000)} s.`,
    data: { startedAt: iso(startedAt), durationMs },
  };
}

const counted = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`;
